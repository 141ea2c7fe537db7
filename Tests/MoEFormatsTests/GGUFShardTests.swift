import Foundation
import MoECore
import MoEFormats
import MoESynthetic
import MoETestSupport
import Testing

@Suite struct GGUFShardTests {
  /// Five tensors in three files named `m-0000N-of-00003.gguf`.
  private func withShards(_ body: ([URL]) throws -> Void) throws {
    try withTemporaryFolder { folder in
      try body(Samples.writer().writeShards(count: 3, named: "m", in: folder))
    }
  }

  private func expectShardError(
    _ path: String, names culprit: URL, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: FormatError.self, sourceLocation: sourceLocation) {
      try GGUFFile(path: path)
    }
    #expect(error?.kind == .shards, sourceLocation: sourceLocation)
    #expect(error?.path == culprit.path, sourceLocation: sourceLocation)
  }

  @Test(arguments: 0..<3) func `any shard names the whole model`(_ index: Int) throws {
    try withShards { urls in
      let file = try GGUFFile(path: urls[index].path)
      #expect(file.files.map(\.path) == urls.map(\.path))
      #expect(file.tensors.map(\.name) == (0..<5).map { "tensor.\($0)" })
      #expect(file.tensors.map(\.extent.fileIndex) == [0, 1, 1, 2, 2])
      #expect(file.architecture == "sample")
      #expect(file.sourceName == urls[0].path)
      let sizes = try urls.map { try Data(contentsOf: $0).count }
      #expect(file.totalByteCount == sizes.reduce(0, +))
      for (tensor, source) in zip(file.tensors, Samples.writer().tensors) {
        var wanted: [UInt8] = []
        try source.produce { wanted += $0 }
        let bytes = try Data(contentsOf: urls[tensor.extent.fileIndex])
        let start = tensor.extent.offset
        #expect([UInt8](bytes[start..<start + tensor.extent.byteCount]) == wanted)
      }
    }
  }

  @Test(arguments: [0, 1]) func `a missing shard is named`(_ missing: Int) throws {
    try withShards { urls in
      try FileManager.default.removeItem(at: urls[missing])
      expectShardError(urls[2].path, names: urls[missing])
    }
  }

  @Test func `a shard in another's place is named`() throws {
    try withShards { urls in
      try FileManager.default.removeItem(at: urls[1])
      try FileManager.default.copyItem(at: urls[2], to: urls[1])
      expectShardError(urls[0].path, names: urls[1])
    }
  }

  @Test func `shards that lead back to the first are named`() throws {
    try withShards { urls in
      try FileManager.default.removeItem(at: urls[1])
      try FileManager.default.createSymbolicLink(at: urls[1], withDestinationURL: urls[0])
      expectShardError(urls[0].path, names: urls[1])
      try FileManager.default.removeItem(at: urls[1])
      try FileManager.default.createSymbolicLink(at: urls[1], withDestinationURL: urls[1])
      expectShardError(urls[0].path, names: urls[1])
    }
  }

  @Test func `a shard under another name is named`() throws {
    try withShards { urls in
      for name in ["m.gguf", "m-00001-of-00004.gguf", "m-1-of-3.gguf", "m-00001-of-00003.bin"] {
        let other = urls[0].deletingLastPathComponent().appending(path: name)
        try FileManager.default.copyItem(at: urls[0], to: other)
        expectShardError(other.path, names: other)
      }
    }
  }

  /// Replaces shard 2 by one with the given split metadata and tensors.
  private func rewriteSecond(
    _ urls: [URL], number: Int = 1, count: Int = 3, tensors: [String] = ["tensor.1", "tensor.2"],
    extra: [(key: String, value: GGUFValue)] = []
  ) throws {
    var writer = GGUFWriter()
    writer.metadata = [
      ("split.no", .int32(Int32(number))), ("split.count", .int32(Int32(count))),
    ]
    writer.metadata += extra
    writer.tensors = tensors.map { GGUFWriter.Tensor($0, .f32, [1], bytes: [0, 0, 0, 0]) }
    try writer.write(to: urls[1])
  }

  @Test func `shards that disagree are named`() throws {
    try withShards { urls in
      try rewriteSecond(urls)
      #expect(try GGUFFile(path: urls[0].path).tensors.count == 5)
      try rewriteSecond(urls, count: 2)
      expectShardError(urls[0].path, names: urls[1])
      try rewriteSecond(urls, number: -1)
      expectShardError(urls[0].path, names: urls[1])
      try rewriteSecond(urls, extra: [("general.architecture", .string("other"))])
      expectShardError(urls[0].path, names: urls[1])
      try rewriteSecond(urls, tensors: ["tensor.1", "tensor.0"])
      expectShardError(urls[0].path, names: urls[1])
      try rewriteSecond(urls, tensors: ["tensor.1"])
      expectShardError(urls[0].path, names: urls[0])
    }
  }

  @Test func `a damaged shard keeps its own error`() throws {
    try withShards { urls in
      try Data("GGUF".utf8).write(to: urls[1])
      let error = #expect(throws: FormatError.self) { try GGUFFile(path: urls[0].path) }
      #expect(error?.kind == .truncated)
      #expect(error?.path == urls[1].path)
    }
  }

  @Test func `a model in one piece may be named like a shard`() throws {
    try withTemporaryFolder { folder in
      let url = folder.appending(path: "m-00001-of-00003.gguf")
      try Samples.writer().write(to: url)
      #expect(try GGUFFile(path: url.path).tensors.count == 5)
    }
  }
}
