import MoECache
import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEStore
import MoESynthetic
import MoETestSupport
import Testing

/// The engine's hits are the replay's: what is learnt from recorded selections holds for the
/// engine.
@Suite struct ExpertStatisticsTests {
  /// Keeps each layer's selection of each step, and how many hits the source counted for it.
  private final class HitRecorder: DecoderObserver {
    struct Step {
      var layer: Int
      /// Whether a sequence begins with it.
      var isFirst: Bool
      var experts: [Int]
      var hitCount = 0
      var requestCount = 0
    }

    private(set) var steps: [Step] = []
    private let experts: OffloadedExperts
    private var before = ExpertStatistics.Counts()

    /// Whether what is routed next is the first of its text.
    private var isFirst = false

    init(_ experts: OffloadedExperts) { self.experts = experts }

    func didBegin(_ tokens: IndexView, _ sequences: [SequenceRows]) {
      isFirst = sequences[0].position == 0
    }

    func didRoute(layer: Int, start: Int, logits: FloatRows, selection: Selection) {
      before = experts.statistics.decode
      steps.append(
        Step(
          layer: layer, isFirst: isFirst,
          experts: (0..<selection.expertsPerToken).map { selection.expert(token: 0, rank: $0) }))
      isFirst = false
    }

    func didFinish(layer: Int, _ hidden: FloatRows) {
      guard steps.last?.layer == layer else { return }
      let counts = experts.statistics.decode - before
      steps[steps.count - 1].hitCount = counts.hitCount
      steps[steps.count - 1].requestCount = counts.requestCount
    }

    func didEmbed(_ hidden: FloatRows) {}
    func didNormalize(_ rows: FloatRows) {}
  }

  /// Decodes random tokens of several sequences on a perfect disk.
  private func decode(
    _ model: SimulatedModel, _ scenario: Scenario, policy: PolicyEntry
  ) throws -> (OffloadedExperts, HitRecorder) {
    let backend = MemoryBackend(contents: model.contents, depth: 8)
    let layout = model.tensors.experts
    let pool = PoolLayout(layout)
    let wanted = Int(Double(pool.fullByteCount) * scenario.poolShare)
    let team = try WorkerTeam(workerCount: 1)
    let experts = try OffloadedExperts(
      layout, reader: try ExtentReader(backend: backend, files: model.files), team: team,
      poolByteCount: max(pool.floorByteCount, wanted), policy: policy)
    let decoder = try model.decoder(
      experts, team: team, chunk: 1, contextLength: 16, kvType: .f32)
    let recorder = HitRecorder(experts)
    decoder.observer = recorder
    var draw = Draw(seed: scenario.seed)
    try decoder.withSequence { sequence in
      for token in draw.tokens(60, of: scenario.first) {
        // A new sequence does not forget the experts of the one before.
        if sequence.position == decoder.contextLength { decoder.cut(sequence) }
        try decoder.forward(CollectionOfOne(token), of: sequence, phase: .decode)
      }
    }
    return (experts, recorder)
  }

  @Test(arguments: PolicyRegistry.all.map(\.name))
  func decodingHitsWhatReplayHits(_ name: String) throws {
    let policy = try #require(PolicyRegistry.entry(named: name))
    var hitCount = 0
    for seed: UInt64 in 0..<20 {
      let scenario = Scenario(seed: seed)
      let model = try SimulatedModel(
        scenario.first, scenario.second, foreignLayers: scenario.foreignLayers)
      let (experts, recorder) = try decode(model, scenario, policy: policy)
      var replay = ExpertCache(geometry: experts.cache.geometry, policy: policy)
      replay.phase = .decode
      var outcomes: [RequestedExpert] = []
      let layerCount = experts.layout.routedLayers.count
      let sequence = SequenceID(rawValue: 0)
      for (number, step) in recorder.steps.enumerated() {
        if step.isFirst && number > 0 { replay.endSequence(sequence) }
        if step.isFirst { replay.beginSequence(sequence) }
        replay.request(
          layer: step.layer, experts: step.experts.span, time: number / layerCount, into: &outcomes)
        replay.finish(outcomes)
        let hits = outcomes.count(where: \.isHit)
        #expect(step.hitCount == hits, "seed \(seed), step \(number)")
        #expect(step.requestCount == step.experts.count, "seed \(seed), step \(number)")
      }
      let counters = experts.cache.counters(for: .decode)
      #expect(replay.counters(for: .decode) == counters, "seed \(seed)")
      #expect(experts.statistics.decode.hitCount == counters.hitCount, "seed \(seed)")
      #expect(experts.statistics.decode.requestCount == counters.requestCount, "seed \(seed)")
      #expect(counters.requestCount == 60 * layerCount * scenario.first.expertsPerToken)
      #expect(replay.residents == experts.cache.residents, "seed \(seed)")
      hitCount += counters.hitCount
    }
    #expect(hitCount > 1000)
  }
}
