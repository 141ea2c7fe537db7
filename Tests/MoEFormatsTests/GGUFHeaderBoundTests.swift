import Foundation
import MoECore
import MoEFormats
import MoEPlatform
import MoESynthetic
import MoETestSupport
import Testing

/// Limits and identities that hold over all files of a model.
@Suite struct GGUFHeaderBoundTests {
  @Test func `the bound of headers is for all shards together`() throws {
    try withTemporaryFolder { folder in
      // Three headers of 48 MiB: each alone would do.
      let filling = [UInt8](repeating: 1, count: 48 << 20)
      let urls = try Samples.writer().writeShards(count: 3, named: "m", in: folder)
      for (number, url) in urls.enumerated() {
        var body: [UInt8] = []
        body += Samples.entry("split.no", .uint16(UInt16(number)))
        body += Samples.entry("split.count", .uint16(3))
        let count = Samples.integer(UInt64(filling.count))
        body += Samples.entry(Array("filling".utf8), type: 9, Samples.integer(UInt32(0)) + count)
        try Data(Samples.raw(keyCount: 3, body) + filling).write(to: url)
      }
      let error = #expect(throws: FormatError.self) { try GGUFFile(path: urls[0].path) }
      #expect(error?.path == urls[2].path)
      #expect(error?.description.contains("128.0 MiB of headers, all shards together") == true)
      for url in try Samples.writer().writeShards(count: 2, named: "n", in: folder) {
        let file = try GGUFFile(path: url.path)
        #expect((500..<16 << 10).contains(file.headerByteCount))
      }
    }
  }

  @Test func `a file that is replaced or changed has another identity`() throws {
    try withTemporaryFolder { folder in
      let url = folder.appending(path: "model.gguf")
      try Samples.writer().write(to: url)
      func identity() throws -> FileIdentity { try GGUFFile(path: url.path).files[0].identity }
      let first = try identity()
      let again = try identity()
      #expect(first == again)
      let attributes = try FileManager.default.attributesOfItem(atPath: url.path)
      #expect(first.byteCount == attributes[.size] as? Int)
      #expect(first.inode == (attributes[.systemFileNumber] as? NSNumber)?.uint64Value)
      #expect(first.device == (attributes[.systemNumber] as? NSNumber)?.uint64Value)

      // The same bytes in another file under the same name.
      let other = folder.appending(path: "other.gguf")
      try FileManager.default.copyItem(at: url, to: other)
      try FileManager.default.removeItem(at: url)
      try Data(repeating: 0, count: 1).write(to: folder.appending(path: "takes the number"))
      try FileManager.default.moveItem(at: other, to: url)
      let second = try identity()
      #expect(first != second)
      // The same file, written at another time.
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSince1970: 1_000_000)], ofItemAtPath: url.path)
      let third = try identity()
      #expect(second != third)
      #expect(third.modifiedNanoseconds == 1_000_000_000_000_000)
      #expect(third.inode == second.inode)
    }
  }
}
