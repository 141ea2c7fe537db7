import Foundation
import MoEKernels
import Testing

/// What lists formats for people lists all there are.
@Suite struct QuantDocumentationTests {
  private static let packageDirectory = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  @Test(arguments: [
    "Models/README.md", "Sources/MoERuntime/MoERuntime.docc/Formats.md",
  ])
  func namesEveryFormat(_ path: String) throws {
    let url = Self.packageDirectory.appending(path: path)
    let text = try String(contentsOf: url, encoding: .utf8)
    let words = Set(text.split { !($0.isLetter || $0.isNumber || $0 == "_") })
    let missing = QuantFormat.all.map(\.name).filter { !words.contains(Substring($0)) }
    #expect(missing.isEmpty, "\(path)")
  }
}
