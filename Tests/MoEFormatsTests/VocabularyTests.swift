import Foundation
import MoECore
import MoEFormats
import MoESynthetic
import MoETestSupport
import Testing

/// A vocabulary as large as those of published models.
@Suite struct VocabularyTests {
  private static let tokenCount = 200_000

  /// Tokens of some eight bytes, their scores, kinds, and merges of two words each.
  private static func write(to url: URL, tokenCount: Int = tokenCount) throws {
    var writer = GGUFWriter()
    writer.metadata = [
      ("general.architecture", .string("sample")),
      ("tokens", .strings((0..<tokenCount).map { "token \($0)" })),
      ("scores", .array((0..<tokenCount).map { .float32(-Float($0)) })),
      ("kinds", .array((0..<tokenCount).map { .int32(Int32($0 % 7)) })),
      ("merges", .strings((0..<tokenCount).map { "left\($0) right\($0)" })),
    ]
    writer.tensors = [GGUFWriter.Tensor("a", .f32, [1], bytes: [0, 0, 0, 0])]
    try writer.write(to: url)
  }

  @Test func `takes little more memory than its bytes`() async throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appending(path: "vocabulary.gguf")
    try Self.write(to: url)
    let path = url.path
    let small = folder.url.appending(path: "small.gguf")
    try Self.write(to: small, tokenCount: 100)
    let smallPath = small.path
    await #expect(processExitsWith: .success) {
      [path = path as String, smallPath = smallPath as String] in
      // Code is memory, too, and much of it in a debug build: it is there before.
      _ = try GGUFFile(path: smallPath)
      let before = try AddressSpace.residentByteCount
      try AddressSpace.resetPeak()
      let file = try GGUFFile(path: path)
      let growth = try AddressSpace.peakByteCount - before
      let byteCount = file.totalByteCount
      #expect(byteCount > 10_000_000)
      // The largest array is read beside a window of 1 MiB.
      #expect(growth < byteCount + 4 << 20, "\(growth) bytes for \(byteCount)")
      #expect((byteCount..<byteCount + 4096).contains(file.headerByteCount))
    }
    withExtendedLifetime(folder) {}
  }

  @Test func `is read where it lies`() throws {
    try withTemporaryFolder { folder in
      let url = folder.appending(path: "vocabulary.gguf")
      try Self.write(to: url)
      let file = try GGUFFile(path: url.path)
      let tokens = try #require(try file.optionalStoredStrings("tokens"))
      #expect(tokens.count == Self.tokenCount)
      for index in stride(from: 0, to: Self.tokenCount, by: 997) {
        #expect(tokens.string(at: index) == "token \(index)")
      }
      let scores = try #require(file.storedArray(forKey: "scores"))
      let sum = scores.withElements { (span: Span<Float>) in
        span.indices.reduce(0.0) { $0 + Double(span[$1]) }
      }
      #expect(sum == -Double(Self.tokenCount) * Double(Self.tokenCount - 1) / 2)
      let kinds = try #require(file.storedArray(forKey: "kinds"))
      #expect((0..<Self.tokenCount).allSatisfy { kinds.integer(at: $0) == $0 % 7 })
      #expect(try file.requireStrings("merges").string(at: 9) == "left9 right9")
    }
  }
}
