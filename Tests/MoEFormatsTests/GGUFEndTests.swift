import Foundation
import MoECore
import MoEFormats
import MoESynthetic
import MoETestSupport
import Testing

/// Files that go on behind their last tensor.
@Suite struct GGUFEndTests {
  private func error(_ bytes: [UInt8]) -> FormatError? {
    do {
      _ = try GGUFHeader(bytes: bytes)
      return nil
    } catch {
      return error
    }
  }

  private func zeros(_ count: Int) -> [UInt8] { Array(repeating: 0, count: count) }

  /// The bytes of a file up to its last tensor's end, without padding.
  private func unpadded(_ writer: GGUFWriter) throws -> [UInt8] {
    let bytes = try writer.bytes()
    let ends = try GGUFHeader(bytes: bytes).tensors.map { $0.extent.offset + $0.extent.byteCount }
    return Array(bytes[..<(try #require(ends.max()))])
  }

  @Test(arguments: [8, 32, 4096]) func `padding up to the alignment is no surplus`(
    _ alignment: Int
  ) throws {
    let bytes = try unpadded(Samples.writer(alignment: alignment))
    let padding = (alignment - bytes.count % alignment) % alignment
    for count in Set([0, padding / 2, padding]) { #expect(error(bytes + zeros(count)) == nil) }
    #expect(error(bytes + zeros(padding + 1))?.kind == .malformed)
  }

  @Test func `what was added is refused with its size`() throws {
    let bytes = try unpadded(Samples.writer())
    for count in [33, 4096, 1 << 21] {
      let error = error(bytes + zeros(count))
      #expect(error?.kind == .malformed)
      #expect(error?.found == "\(count) bytes more")
      #expect(error?.wanted.hasSuffix("at byte \(bytes.count)") == true)
    }
  }

  @Test func `shards joined in one file are refused with the place of the second`() throws {
    try withTemporaryFolder { folder in
      let urls = try Samples.writer().writeShards(count: 3, named: "m", in: folder)
      let shards = try urls.map { [UInt8](try Data(contentsOf: $0)) }
      let joined = folder.appending(path: "joined.gguf")
      try Data(shards.joined()).write(to: joined)
      let error = #expect(throws: FormatError.self) { try GGUFFile(path: joined.path) }
      #expect(error?.kind == .shards)
      #expect(error?.found == "another GGUF file that begins at byte \(shards[0].count)")
      #expect(error?.advice.contains("as they were published") == true)
    }
  }

  @Test func `so are files without padding or without tensors`() throws {
    let whole = try Samples.writer().bytes()
    var empty = Samples.writer()
    empty.tensors = []
    for first in [try unpadded(Samples.writer()), try empty.bytes(), empty.header()] {
      let error = error(first + whole)
      #expect(error?.found == "another GGUF file that begins at byte \(first.count)")
    }
  }
}
