import Foundation
import MoEKernels
import MoEModel
import Testing

/// Tables of the documentation are made from the registries: each lies between two comments, the
/// first of which names it.
@Suite(.serialized) struct DocumentationTableTests {
  private static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  private static let end = "<!-- end of table -->"

  struct Table: Sendable, CustomTestStringConvertible {
    let name: String
    let file: String
    let lines: @Sendable () -> [String]
    var testDescription: String { name }
  }

  private static let tables = [
    Table(name: "architectures", file: "Models/README.md", lines: architectures),
    Table(name: "format names", file: "Models/README.md", lines: formatNames),
    Table(name: "formats", file: "Sources/MoERuntime/MoERuntime.docc/Formats.md", lines: formats),
  ]

  private static func architectures() -> [String] {
    ["| `general.architecture` | models | what it has of its own |", "|---|---|---|"]
      + ArchitectureRegistry.all.map { entry in
        "| `\(entry.name)` | \(entry.models) | \(ownPart(of: entry.summary)) |"
      }
  }

  /// What follows the family's name.
  private static func ownPart(of summary: String) -> Substring {
    (summary.split(separator: ": ", maxSplits: 1).last ?? "").dropLast()
  }

  private static func formatNames() -> [String] {
    [QuantFormat.all.map(\.name).joined(separator: ", ") + "."]
  }

  private static func formats() -> [String] {
    ["| Format | Bits per weight | Activations |", "|---|---|---|"]
      + QuantFormat.all.map { format in
        let bits = Double(8 * format.blockByteCount) / Double(format.blockElementCount)
        let text = String(format: "%.3g", bits)
        return "| \(format.name) | \(text) | \(activation(format)) |"
      }
  }

  private static func activation(_ format: QuantFormat) -> String {
    switch format.activation {
    case .f32: "F32"
    case .q8_0: "Q8_0"
    case .q8_K: "Q8_K"
    case .q13: "Q13"
    }
  }

  /// `MOE_WRITE_TABLES=1 swift test --filter DocumentationTableTests` writes them anew.
  @Test(arguments: tables)
  func tablesAreThoseOfTheRegistries(_ table: Table) throws {
    let url = Self.root.appending(path: table.file)
    var text = try String(contentsOf: url, encoding: .utf8)
    let start = try #require(text.range(of: "<!-- table: \(table.name) -->\n"))
    let end = try #require(text.range(of: Self.end, range: start.upperBound..<text.endIndex))
    let wanted = table.lines().map { $0 + "\n" }.joined()
    let range = start.upperBound..<end.lowerBound
    if ProcessInfo.processInfo.environment["MOE_WRITE_TABLES"] == "1", text[range] != wanted {
      text.replaceSubrange(range, with: wanted)
      try text.write(to: url, atomically: true, encoding: .utf8)
      return
    }
    #expect(text[range] == wanted, "\(table.file): see the comment on this test")
  }
}
