import Foundation
import MoECore
import MoEFormats
import MoETestSupport
import Testing

/// The headers of published models, as far as this package's authors have met them.
@Suite(PublishedHeaders.needed) struct PublishedHeaderTests {
  private struct Description: Decodable {
    struct Expected: Decodable {
      let architecture: String
      let vocab: Int
      let tensorCount: Int
      let tensorBytes: Int
      let typeCounts: [String: Int]
    }

    let shards: Int?
    let expected: Expected
  }

  private func description(_ name: String) throws -> Description {
    let folder = try #require(PublishedHeaders.directory)
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(
      Description.self, from: Data(contentsOf: folder.appending(path: name + ".json")))
  }

  @Test func `there are headers to read`() { #expect(PublishedHeaders.names.count >= 20) }

  @Test(arguments: PublishedHeaders.names) func `a published header is understood`(
    _ name: String
  ) throws {
    let description = try description(name)
    let wanted = description.expected
    let folder = try TemporaryFolder()
    let urls = try PublishedHeaders.write(name, to: folder.url)
    let file = try GGUFFile(path: try #require(urls.last).path)
    #expect(file.files.map(\.path) == urls.map(\.path))
    #expect(file.files.count == description.shards ?? 1)
    #expect(file.architecture == wanted.architecture)
    #expect(file.tensors.count == wanted.tensorCount)
    #expect(file.tensors.reduce(0) { $0 + $1.extent.byteCount } == wanted.tensorBytes)
    #expect(try typeCounts(file) == lowercased(wanted.typeCounts))
    let tokens = try #require(try file.optionalStoredStrings("tokenizer.ggml.tokens"))
    #expect(tokens.count == wanted.vocab)
    try file.requireModel()
    withExtendedLifetime(folder) {}
  }

  /// Tensors of each element format, by its name in small letters.
  private func typeCounts(_ file: GGUFFile) throws -> [String: Int] {
    var counts: [String: Int] = [:]
    for tensor in file.tensors {
      let type = try #require(GGMLType(id: tensor.formatID))
      counts[type.name.lowercased(), default: 0] += 1
    }
    return counts
  }

  private func lowercased(_ counts: [String: Int]) -> [String: Int] {
    var result: [String: Int] = [:]
    for (name, count) in counts { result[name.lowercased(), default: 0] += count }
    return result
  }

  @Test(arguments: [
    ("dup-key", FormatError.Kind.malformed), ("dup-tensor", .malformed), ("truncate", .truncated),
    ("version", .unsupported), ("magic", .otherFormat),
  ])
  func `a damaged header is refused`(_ damage: String, _ kind: FormatError.Kind) throws {
    try withTemporaryFolder { folder in
      let name = try #require(PublishedHeaders.names.first { $0.hasPrefix("olmoe") })
      let urls = try PublishedHeaders.write(name, to: folder, options: ["--break", damage])
      let error = #expect(throws: FormatError.self) {
        try GGUFFile(path: try #require(urls.first).path)
      }
      #expect(error?.kind == kind)
    }
  }

  @Test func `a missing shard is named`() throws {
    try withTemporaryFolder { folder in
      let name = try #require(PublishedHeaders.names.first { $0.hasSuffix("3shards") })
      let urls = try PublishedHeaders.write(
        name, to: folder, options: ["--break", "missing-shard"])
      let error = #expect(throws: FormatError.self) {
        try GGUFFile(path: try #require(urls.first).path)
      }
      #expect(error?.kind == .shards)
    }
  }
}
