import MoECache
import MoECore
import MoEExperts
import MoEFormats
import MoEKernels
import MoEModel
import MoEStore
import MoESynthetic
import MoETestSupport
import Testing

/// Memory that the KV cache does not need yet serves as slots for experts: they go as a sequence
/// grows, come back with the next one, and no bit depends on them.
@Suite struct LendingTests {
  private static let contextLength = 1024

  /// 8 KiB of keys and values for a position: a block of 256 is 2 MiB, the context four of them.
  private static func makeModel() throws -> SimulatedModel {
    var shape = SyntheticModel(.qwen3moe)
    (shape.layerCount, shape.headCount, shape.keyValueHeadCount) = (2, 8, 8)
    (shape.headDimension, shape.expertWidth) = (128, 512)
    (shape.expertCount, shape.expertsPerToken, shape.contextLength) = (32, 4, contextLength)
    var second = shape
    second.seed = shape.seed &+ 1
    second.formats = .init(.q8_0)
    return try SimulatedModel(shape, second, foreignLayers: [1])
  }

  private func decoder(
    _ model: SimulatedModel, loan: Int, team: WorkerTeam,
    prefetch: PrefetchOptions = PrefetchOptions()
  ) throws -> (Decoder, OffloadedExperts) {
    let layout = model.tensors.experts
    let experts = try OffloadedExperts(
      layout,
      reader: try ExtentReader(
        backend: MemoryBackend(contents: model.contents, depth: 8), files: model.files),
      team: team, poolByteCount: PoolLayout(layout).floorByteCount * 3 / 2, loanByteCount: loan,
      prefetch: prefetch)
    let decoder = try model.decoder(
      experts, team: team, chunk: 512, contextLength: Self.contextLength, kvType: .f16)
    decoder.populate()
    return (decoder, experts)
  }

  /// What a decoder lends: all blocks but the first.
  private static let loan = 3 << 21

  /// Logits after a prompt and after each of some tokens more.
  private func run(
    _ decoder: Decoder, prompt: Int, count: Int
  ) throws -> [[UInt32]] {
    func token(_ index: Int) -> Int32 { Int32((index * index + 7 * index) % 250) }
    return try decoder.withSequence { sequence in
      var start = 0
      while start < prompt {
        let end = min(prompt, start + 512)
        try decoder.forward((start..<end).map(token), of: sequence, phase: .prefill)
        start = end
      }
      var logits = [decoder.lastLogits().array().map(\.bitPattern)]
      for index in prompt..<prompt + count {
        try decoder.forward(CollectionOfOne(token(index)), of: sequence, phase: .decode)
        logits.append(decoder.lastLogits().array().map(\.bitPattern))
      }
      return logits
    }
  }

  /// (prompt, decoded): within a block, over two borders, three blocks at once, and short again.
  private let sequences = [(5, 20), (200, 350), (700, 10), (3, 30), (1000, 20), (300, 5)]

  @Test(arguments: [
    PrefetchOptions(), PrefetchOptions(stagingSlotCount: 0),
    PrefetchOptions(stagingSlotCount: 3, leastProbability: 0),
  ])
  func slotsGoAsASequenceGrowsAndComeBackWithTheNext(_ prefetch: PrefetchOptions) throws {
    let model = try Self.makeModel()
    let team = try WorkerTeam(workerCount: 2)
    let (plain, bare) = try decoder(model, loan: 0, team: team)
    let (lending, experts) = try decoder(model, loan: Self.loan, team: team, prefetch: prefetch)
    let all = experts.slotCount
    var slotCounts: [Int] = []
    for (prompt, count) in sequences {
      let expected = try run(plain, prompt: prompt, count: count)
      #expect(try run(lending, prompt: prompt, count: count) == expected, "\(prompt), \(count)")
      slotCounts.append(experts.slotCount)
      let table = experts.cache.table
      #expect(experts.cache.residents.count <= experts.slotCount)
      #expect(table.floors.reduce(0, +) <= experts.slotCount)
    }
    #expect(slotCounts[0] == all && slotCounts[3] == all)
    #expect(slotCounts[4] == all - experts.lentSlotCount && experts.lentSlotCount > 8)
    #expect(all > slotCounts[5] && slotCounts[5] > slotCounts[1])
    #expect(slotCounts[1] == slotCounts[2] && slotCounts[2] > slotCounts[4])
    #expect(bare.slotCount == bare.cache.geometry.slotCount)
  }

  @Test func lentSlotsSaveReads() throws {
    let model = try Self.makeModel()
    let team = try WorkerTeam(workerCount: 1)
    let hits = try [0, Self.loan].map { loan in
      let (decoder, experts) = try decoder(model, loan: loan, team: team)
      _ = try run(decoder, prompt: 4, count: 150)
      return experts.statistics.decode.hitCount
    }
    #expect(hits[1] > hits[0], "\(hits)")
  }

  /// A page of all layers is two MiB here: what is held follows the positions page by page.
  @Test func aSequenceHoldsThePagesOfItsPositions() throws {
    let states = StateLayout(
      try Self.makeModel().description, contextLength: Self.contextLength, type: .f16)
    #expect(states.pageByteCount == 4 << 21)
    for positions in [0, 1, 256, 257, 1024, 300] {
      #expect(states.heldByteCount(positions: positions) == ((positions + 255) / 256) << 21)
    }
  }
}
