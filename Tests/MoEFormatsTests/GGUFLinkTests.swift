import Foundation
import MoECore
import MoEFormats
import MoESynthetic
import MoETestSupport
import Testing

/// Shards that are reached by links, and names in other forms than the usual one.
@Suite struct GGUFLinkTests {
  private let manager = FileManager.default

  private func expectWhole(
    _ path: URL, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let file = try GGUFFile(path: path.path)
    #expect(
      file.tensors.map(\.name) == (0..<5).map { "tensor.\($0)" }, sourceLocation: sourceLocation)
    #expect(file.files.count == 3, sourceLocation: sourceLocation)
    #expect(file.architecture == "sample", sourceLocation: sourceLocation)
  }

  @Test(arguments: [0, 2]) func `a link to a shard finds the others`(_ index: Int) throws {
    try withTemporaryFolder { folder in
      let there = folder.appending(path: "there")
      let here = folder.appending(path: "here")
      for url in [there, here] {
        try manager.createDirectory(at: url, withIntermediateDirectories: false)
      }
      let urls = try Samples.writer().writeShards(count: 3, named: "m", in: there)
      let name = urls[index].lastPathComponent
      // Beside the shards, elsewhere, under a shard's own name, by way of another link.
      try manager.createSymbolicLink(
        atPath: there.appending(path: "link.gguf").path, withDestinationPath: name)
      try manager.createSymbolicLink(
        at: here.appending(path: "model"), withDestinationURL: urls[index])
      try manager.createSymbolicLink(
        atPath: here.appending(path: name).path, withDestinationPath: "../there/" + name)
      try manager.createSymbolicLink(
        atPath: here.appending(path: "second.gguf").path, withDestinationPath: "model")
      try expectWhole(there.appending(path: "link.gguf"))
      for link in ["model", name, "second.gguf"] { try expectWhole(here.appending(path: link)) }
    }
  }

  /// As download tools keep them: files under hashes, links that give them their names.
  @Test func `links to files without names are shards by their own names`() throws {
    try withTemporaryFolder { folder in
      let (blobs, snapshot) = (folder.appending(path: "blobs"), folder.appending(path: "snapshot"))
      for url in [blobs, snapshot] {
        try manager.createDirectory(at: url, withIntermediateDirectories: false)
      }
      let urls = try Samples.writer().writeShards(count: 3, named: "m", in: folder)
      for (index, url) in urls.enumerated() {
        try manager.moveItem(at: url, to: blobs.appending(path: "\(index)a7f"))
        try manager.createSymbolicLink(
          atPath: snapshot.appending(path: url.lastPathComponent).path,
          withDestinationPath: "../blobs/\(index)a7f")
      }
      for url in urls { try expectWhole(snapshot.appending(path: url.lastPathComponent)) }
      let error = #expect(throws: FormatError.self) {
        try GGUFFile(path: blobs.appending(path: "0a7f").path)
      }
      #expect(error?.kind == .shards)
      #expect(error?.advice == "give the shards the names under which they were published")
    }
  }

  @Test func `a link that leads nowhere or to itself is an error`() throws {
    try withTemporaryFolder { folder in
      for (name, target) in [("lost.gguf", "absent.gguf"), ("loop.gguf", "loop.gguf")] {
        let path = folder.appending(path: name).path
        try manager.createSymbolicLink(atPath: path, withDestinationPath: target)
        let error = #expect(throws: FormatError.self) { try GGUFFile(path: path) }
        #expect(error?.kind == .unreadable)
      }
    }
  }

  @Test func `a shard that a link's folder lacks is named`() throws {
    try withTemporaryFolder { folder in
      let urls = try Samples.writer().writeShards(count: 3, named: "m", in: folder)
      try manager.removeItem(at: urls[1])
      let link = folder.appending(path: "link.gguf")
      try manager.createSymbolicLink(at: link, withDestinationURL: urls[0])
      let error = #expect(throws: FormatError.self) { try GGUFFile(path: link.path) }
      #expect(error?.kind == .shards)
      #expect(error?.path.hasSuffix("m-00002-of-00003.gguf") == true)
    }
  }

  @Test(arguments: ["GGUF", "Gguf"]) func `suffixes may be in capitals`(_ suffix: String) throws {
    try withTemporaryFolder { folder in
      let urls = try Samples.writer().writeShards(count: 3, named: "m", in: folder)
      let renamed = urls.map { $0.deletingPathExtension().appendingPathExtension(suffix) }
      for (url, other) in zip(urls, renamed) { try manager.moveItem(at: url, to: other) }
      for url in renamed { try expectWhole(url) }
    }
  }

  @Test func `a first shard may hold no tensors`() throws {
    try withTemporaryFolder { folder in
      var first = Samples.writer()
      var second = first
      first.tensors = []
      second.metadata = []
      let urls = ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"].map {
        folder.appending(path: $0)
      }
      for (number, var shard) in [first, second].enumerated() {
        shard.metadata += [
          ("split.no", .uint16(UInt16(number))), ("split.count", .uint16(2)),
          ("split.tensors.count", .int32(5)),
        ]
        try shard.write(to: urls[number])
      }
      for url in urls {
        let file = try GGUFFile(path: url.path)
        #expect(file.tensors.map(\.extent.fileIndex) == [1, 1, 1, 1, 1])
        #expect(file.architecture == "sample")
        try file.requireModel()
      }
    }
  }
}
