import Foundation
import MoEAnalysis
import MoECore
import MoETestSupport
import Testing

/// `.moetrace` files: written, read, and refused.
@Suite struct MoeTraceTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func write(_ bytes: [UInt8], _ name: String = "a.moetrace") throws -> String {
    let url = folder.url.appending(path: name)
    try Data(bytes).write(to: url)
    return url.path
  }

  private func problem(_ bytes: [UInt8]) throws -> String? {
    let path = try write(bytes)
    do throws(RoutingTraceError) {
      _ = try RoutingTrace(contentsOf: path)
      return nil
    } catch {
      #expect(error.description.hasPrefix(path + " "))
      return error.description
    }
  }

  @Test func readsBytesThatWerePutTogetherByHand() throws {
    let trace = try RoutingTrace(contentsOf: write(TraceBytes.small.bytes))
    #expect(trace.tokenCount == 3 && trace.layerCount == 2 && trace.expertsPerToken == 2)
    #expect(trace.expertCount == 3 && trace.metadata.layers == [0, 5])
    #expect(trace.experts == [0, 1, 1, 0, 2, 1, 0, 2, 2, 0, 1, 2])
    #expect(
      trace.weights == [0.75, 0.25, 1, 0, 0.5, 0.5, 0.625, 0.375, 0.5, 0.25, 0.5, 0.125])
    #expect(trace.tokenIDs == [7, 500, 9])
    #expect(trace.phases == [.prefill, .prefill, .decode])
    #expect(trace.passStarts == [0, 2] && trace.sequenceStarts == [0])
    #expect(trace.labels == ["hé"] && trace.logits == nil)
    #expect(trace.metadata.model == "m" && trace.metadata.quantization == "F16")
    #expect(trace.metadata.promptHash == 0x1234)
  }

  @Test func writesWhatTheDescriptionSays() throws {
    let trace = try RoutingTrace(contentsOf: write(TraceBytes.small.bytes))
    let path = folder.url.appending(path: "b.moetrace").path
    try trace.write(to: path)
    let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    // All but the header's text and the end mark, which has another hash.
    let blocks = TraceBytes.small.blocks
    #expect(bytes.dropLast(21).suffix(blocks.count).elementsEqual(blocks))
    #expect(bytes.starts(with: Array("MOETRACE".utf8) + [1, 0, 0, 0]))
    // Of the sequence's mark and the two tokens that were given.
    var hash = FNV1a()
    for word in [.max, 7, 500] as [UInt32] { hash.update(word) }
    let read = try RoutingTrace(contentsOf: path)
    #expect(read.metadata.promptHash == hash.value)
  }

  @Test func whatIsWrittenIsReadInEitherFormAndConvertedWithoutLoss() throws {
    for seed in 0..<120 as Range<UInt64> {
      let trace = randomTrace(seed: seed)
      let stream = folder.url.appending(path: "\(seed).moetrace").path
      let archive = folder.url.appending(path: "\(seed).npz").path
      try trace.write(to: stream)
      var read = try RoutingTrace(contentsOf: stream)
      // Made from the tokens while writing.
      if trace.tokenIDs == nil { #expect(read.metadata.promptHash == nil) }
      let fromStream = read
      read.metadata = trace.metadata
      #expect(read == trace, "seed \(seed)")
      try fromStream.write(to: archive)
      let fromArchive = try RoutingTrace(contentsOf: archive)
      #expect(fromArchive == fromStream, "seed \(seed)")
      let again = folder.url.appending(path: "again.moetrace").path
      try fromArchive.write(to: again)
      #expect(
        try Data(contentsOf: URL(fileURLWithPath: again))
          == Data(contentsOf: URL(fileURLWithPath: stream)), "seed \(seed)")
    }
  }

  @Test func everyChangedByteAndEveryCutIsNoticed() throws {
    let good = TraceBytes.small.bytes
    #expect(try problem(good) == nil)
    for end in good.indices { #expect(try problem(Array(good[..<end])) != nil, "\(end)") }
    for index in good.indices {
      for change in [1, 0x80, 0xFF] as [UInt8] {
        var bytes = good
        bytes[index] ^= change
        let text = try #require(try problem(bytes), "byte \(index), \(change)")
        #expect(!text.contains("\n"), "\(text)")
      }
    }
    #expect(try problem(good + [0])?.contains("not where the file ends") == true)
  }

  /// Damage under a checksum that fits it.
  @Test func damageThatTheChecksumHidesNeverTrapsUnderFuzz() throws {
    for seed in Fuzz.seeds(4000) {
      var random = SeededGenerator(seed: seed)
      var sample = TraceBytes.small
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let index = Int.random(in: sample.blocks.indices, using: &random)
        switch Int.random(in: 0...3, using: &random) {
        case 0: sample.blocks.remove(at: index)
        case 1: sample.blocks.insert(sample.blocks[index], at: index)
        default: sample.blocks[index] = UInt8.random(in: .min ... .max, using: &random)
        }
      }
      if seed % 4 == 0 {
        var header = Array(sample.header.utf8)
        header[Int.random(in: header.indices, using: &random)] = UInt8.random(
          in: 32...126, using: &random)
        sample.header = String(decoding: header, as: UTF8.self)
      }
      let path = try write(sample.bytes)
      if let trace = try? RoutingTrace(contentsOf: path) {
        let count = trace.tokenCount * trace.layerCount * trace.expertsPerToken
        #expect(trace.experts.count == count, "seed \(seed)")
        #expect(
          trace.experts.allSatisfy { $0 >= 0 && $0 < trace.expertCount }, "seed \(seed)")
      }
    }
  }

  /// What is done to the small sample, and what the sentence must name.
  static let refused: [(@Sendable (inout TraceBytes) -> Void, String)] = [
    ({ $0.version = 2 }, "the version 2"),
    ({ $0.headerByteCount = .max }, "does not fit"),
    ({ $0.header = "[1]" }, "not a JSON object"),
    ({ $0.header = String(repeating: "[", count: 100_000) }, "not a JSON object"),
    ({ $0.header = $0.header.replacing("\"experts\": 3", with: "\"experts\": 0") }, "'experts'"),
    ({ $0.header = $0.header.replacing("\"experts\": 3", with: "\"experts\": 1e9") }, "'experts'"),
    (
      { $0.header = $0.header.replacing("\"experts\": 3", with: "\"experts\": \"3\"") }, "'experts'"
    ),
    ({ $0.header = $0.header.replacing("\"experts\": 3, ", with: "") }, "missing"),
    ({ $0.header = $0.header.replacing("\"k\": 2", with: "\"k\": 4") }, "'k'"),
    ({ $0.header = $0.header.replacing("[0, 5]", with: "[]") }, "'layers_logged'"),
    ({ $0.header = $0.header.replacing("[0, 5]", with: "[5, 0]") }, "'layers_logged'"),
    ({ $0.header = $0.header.replacing("[0, 5]", with: "[0, 1.5]") }, "'layers_logged'"),
    ({ $0.header = $0.header.replacing("\"holds\"", with: "\"keeps\"") }, "'holds'"),
    ({ $0.header = $0.header.replacing("\"passes\"", with: "\"dreams\"") }, "\"dreams\""),
    ({ $0.header = $0.header.replacing("\"m\"", with: "7") }, "'model' must be a text"),
    ({ $0.blocks = [] }, "has 0 tokens, but should have 3"),
    ({ ($0.blocks, $0.endTokenCount) = ([], 0) }, "has no tokens"),
    ({ ($0.blocks, $0.endTokenCount) = (TraceBytes.sequence("a"), 0) }, "has no tokens"),
    ({ $0.blocks = TraceBytes.sequence("a") + $0.blocks }, "sequence 0 has no tokens"),
    ({ $0.blocks += TraceBytes.sequence("a") }, "sequence 1 has no tokens"),
    ({ $0.blocks.removeFirst(6) }, "belong to no sequence"),
    ({ $0.blocks[0] = 9 }, "cannot be 9"),
    ({ $0.blocks[4] = 0xFF }, "not UTF-8"),
    ({ $0.blocks[7] = 4 }, "phase of token 0 cannot be 4"),
    ({ $0.endTokenCount = 4 }, "should have 4"),
    ({ $0.endTokenCount = nil }, "without its end mark"),
    ({ $0.rest = [1, 2] }, "not where the file ends"),
    (
      {
        $0.blocks += TraceBytes.pass(phase: 0, ids: [], records: [], tokenCount: .max)
      }, "4294967295 tokens of a pass"
    ),
    ({ $0.blocks += TraceBytes.pass(phase: 0, ids: [], records: []) }, "0 tokens of a pass"),
    ({ $0.blocks[12 + 3] = 0x80 }, "below 0"),
    (
      {
        $0.blocks =
          TraceBytes.sequence("")
          + TraceBytes.pass(
            phase: 0, ids: [1], records: [([0, 1], [.nan, 0]), ([0, 1], [1, 0])])
      }, "a weight of token 0 in layer 0 is nan"
    ),
    (
      {
        $0.blocks =
          TraceBytes.sequence("")
          + TraceBytes.pass(phase: 0, ids: [1], records: [([0, 1], [1, 0]), ([0, 1], [-1, 0])])
      }, "a weight of token 0 in layer 1 is -1"
    ),
    (
      {
        $0.blocks =
          TraceBytes.sequence("")
          + TraceBytes.pass(phase: 0, ids: [1], records: [([0, 3], [1, 0]), ([0, 1], [1, 0])])
      }, "takes expert 3"
    ),
    (
      {
        $0.blocks =
          TraceBytes.sequence("")
          + TraceBytes.pass(phase: 0, ids: [1], records: [([2, 1], [1, 0]), ([1, 1], [1, 0])])
      }, "takes expert 1 twice in layer 1"
    ),
  ]

  @Test(arguments: refused.indices) func refusesInOneSentence(_ index: Int) throws {
    var sample = TraceBytes.small
    Self.refused[index].0(&sample)
    let text = try #require(try problem(sample.bytes))
    #expect(text.contains(Self.refused[index].1), "\(text)")
    #expect(!text.contains("\n"))
  }

  @Test func readsALogitThatIsNoNumberAsDamage() throws {
    var trace = RoutingTrace(layerCount: 1, expertsPerToken: 1, experts: [0, 1])
    trace.logits = [1, 2, .nan, 4]
    let path = folder.url.appending(path: "logits.moetrace").path
    try trace.write(to: path)
    let error = #expect(throws: RoutingTraceError.self) { try RoutingTrace(contentsOf: path) }
    #expect(error?.description.contains("a logit of token 1") == true)
  }

  @Test func whatIsNoFileOfATraceIsRefused() throws {
    for (path, named) in [
      ("/nowhere/a.moetrace", "No such file"), (folder.url.path, "not a regular file"),
      ("/dev/zero", "not a regular file"), (try write(Array("hello".utf8)), "neither"),
      (try write([]), "neither"),
    ] {
      let error = #expect(throws: RoutingTraceError.self) { try RoutingTrace(contentsOf: path) }
      #expect(error?.description.contains(named) == true, "\(path): \(error?.description ?? "")")
    }
  }
}
