import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEStore
import MoESynthetic
import MoETestSupport
import Testing

/// Windows keep their latest positions in pages that go round: whoever keeps everything gives the
/// same bits.
@Suite struct WindowTests {
  private static let tokenCount = 700
  private static let contextLength = 1024
  private static let tokens = (0..<tokenCount).map { Int32($0 * 37 % 512) }

  private struct Parts {
    let model: SimulatedModel
    let team: WorkerTeam
    let experts: ResidentExperts

    /// - Parameter keepsAll: Whether tiles are so large that a ring would not be smaller.
    func decoder(
      chunk: Int, kvType: KVType, keepsAll: Bool = false, sequenceCount: Int = 1
    ) throws -> Decoder {
      try model.decoder(
        experts, team: team, chunk: chunk, contextLength: contextLength, kvType: kvType,
        sequenceCount: sequenceCount, tileRowCount: keepsAll ? contextLength : chunk)
    }

    func layout(chunk: Int, kvType: KVType, keepsAll: Bool = false) -> StateLayout {
      StateLayout(
        model.description, contextLength: contextLength, type: kvType,
        tileRowCount: keepsAll ? contextLength : chunk)
    }
  }

  private func parts() throws -> Parts {
    var shape = SyntheticModel(.init(rawValue: "gpt-oss"))
    shape.contextLength = Self.contextLength
    // A block of the quantised types of keys and values.
    shape.headDimension = 32
    let model = try SimulatedModel(shape, shape, foreignLayers: [])
    let team = try WorkerTeam(workerCount: 2)
    let backend = MemoryBackend(contents: model.contents, depth: 4)
    let experts = try ResidentExperts(
      model.tensors.experts, reader: try ExtentReader(backend: backend, files: model.files),
      team: team)
    return Parts(model: model, team: team, experts: experts)
  }

  /// Bits of the last logits of every step.
  private func logits(
    _ decoder: Decoder, _ sequence: SequenceState, _ tokens: ArraySlice<Int32>, chunk: Int
  ) throws -> [[UInt32]] {
    try stride(from: tokens.startIndex, to: tokens.endIndex, by: chunk).map { start in
      let step = tokens[start..<min(start + chunk, tokens.endIndex)]
      try decoder.forward(step, of: sequence, phase: chunk == 1 ? .decode : .prefill)
      return decoder.lastLogits().array().map(\.bitPattern)
    }
  }

  @Test(arguments: [1, 7, 64], KVType.allCases)
  func pagesThatGoRoundGiveTheBitsOfKeepingAll(chunk: Int, kvType: KVType) throws {
    let parts = try parts()
    let (ring, all) = (
      try parts.decoder(chunk: chunk, kvType: kvType),
      try parts.decoder(chunk: chunk, kvType: kvType, keepsAll: true)
    )
    let (ringLayout, allLayout) = (
      parts.layout(chunk: chunk, kvType: kvType),
      parts.layout(chunk: chunk, kvType: kvType, keepsAll: true)
    )
    #expect(allLayout.groups.allSatisfy { $0.ringPageCount == nil })
    let window = try #require(ringLayout.groups.first { $0.ringPageCount != nil })
    let kept = (window.ringPageCount ?? 0) * window.pagePositionCount
    #expect(kept * 2 < Self.tokenCount, "they go round more than once")
    #expect(ringLayout.pageByteCount < allLayout.pageByteCount * 7 / 10)
    let results = try [ring, all].map { decoder in
      try decoder.withSequence {
        try logits(decoder, $0, Self.tokens[...], chunk: chunk)
      }
    }
    #expect(results[0] == results[1])
  }

  @Test func whatWentRoundIsSavedRestoredAndCut() throws {
    let parts = try parts()
    let (head, tail) = (Self.tokens[..<450], Self.tokens[450..<500])
    let decoder = try parts.decoder(chunk: 16, kvType: .f16, sequenceCount: 2)
    let (first, second) = (
      try #require(decoder.beginSequence()), try #require(decoder.beginSequence())
    )
    _ = try logits(decoder, first, head, chunk: 16)
    let saved = decoder.save(first)
    let expected = try logits(decoder, first, tail, chunk: 1)
    try decoder.restore(saved, into: second)
    #expect(try logits(decoder, second, tail, chunk: 1) == expected)
    // What the window of an early position saw is overwritten; of the last ones it is not.
    #expect(!decoder.cut(second, to: 100) && second.position == 500)
    #expect(decoder.cut(second, to: 498))
    #expect(try logits(decoder, second, tail.suffix(2), chunk: 1) == Array(expected.suffix(2)))
    #expect(decoder.cut(second) && second.position == 0)
  }
}
