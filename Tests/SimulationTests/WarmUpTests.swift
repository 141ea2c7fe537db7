import MoECache
import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEStore
import MoESynthetic
import MoETestSupport
import Testing

/// Experts that are read before anything asks for them. That no bit and no account changes is
/// `WholePathTests`' matter, whose scenarios warm up, too.
@Suite struct WarmUpTests {
  private struct Run {
    /// The decoder's weights lie in it.
    let model: SimulatedModel
    let experts: OffloadedExperts
    let decoder: Decoder
    let layerCount: Int
  }

  private func makeRun(_ scenario: Scenario, policy: String, poolShare: Double) throws -> Run {
    let model = try SimulatedModel(
      scenario.first, scenario.second, foreignLayers: scenario.foreignLayers)
    let layout = model.tensors.experts
    let pool = PoolLayout(layout)
    let team = try WorkerTeam(workerCount: 1)
    let experts = try OffloadedExperts(
      layout,
      reader: try ExtentReader(
        backend: MemoryBackend(contents: model.contents, depth: 8), files: model.files),
      team: team,
      poolByteCount: max(pool.floorByteCount, Int(Double(pool.fullByteCount) * poolShare)),
      policy: try #require(PolicyRegistry.entry(named: policy)))
    let decoder = try model.decoder(
      experts, team: team, chunk: 1, contextLength: 64, kvType: .f32)
    return Run(
      model: model, experts: experts, decoder: decoder, layerCount: layout.routedLayers.count)
  }

  /// The engine's hits after a warm-up are those of a replay that starts with the same experts.
  @Test(arguments: PolicyRegistry.all.map(\.name))
  func decodingAfterAWarmUpHitsWhatReplayHits(_ name: String) throws {
    var warmedCount = 0
    for seed: UInt64 in 0..<8 {
      let scenario = Scenario(seed: seed)
      let run = try makeRun(scenario, policy: name, poolShare: 0.5)
      run.experts.warmUp(scenario.hottest)
      while run.experts.continueWarmUp() {}
      let recorder = SelectionRecorder()
      run.decoder.observer = recorder
      var draw = Draw(seed: seed)
      try run.decoder.withSequence { sequence in
        for token in draw.tokens(40, of: scenario.first) {
          try run.decoder.forward(CollectionOfOne(token), of: sequence, phase: .decode)
        }
      }
      var replay = ExpertCache(
        geometry: run.experts.cache.geometry,
        policy: try #require(PolicyRegistry.entry(named: name)))
      replay.phase = .decode
      for expert in scenario.hottest {
        if let slot = replay.adopt(expert) { replay.markResident(slot) }
      }
      replay.beginSequence(SequenceID(rawValue: 0))
      #expect(run.experts.warmedExpertCount == replay.residents.count, "seed \(seed)")
      #expect(replay.counters == CacheCounters())
      warmedCount += run.experts.warmedExpertCount
      var outcomes: [RequestedExpert] = []
      for (number, step) in recorder.steps.enumerated() {
        replay.request(
          layer: step.layer, experts: step.experts.span, time: number / run.layerCount,
          into: &outcomes)
        replay.finish(outcomes)
      }
      #expect(
        run.experts.cache.counters(for: .decode) == replay.counters(for: .decode), "seed \(seed)")
      #expect(Set(run.experts.cache.residents) == Set(replay.residents), "seed \(seed)")
    }
    #expect(warmedCount > 20)
  }

  @Test func noLayerGetsMoreThanItsShareAndNoExpertIsReadTwice() throws {
    let scenario = Scenario(seed: 1)
    let run = try makeRun(scenario, policy: "lru", poolShare: 0.5)
    let layer = run.experts.layout.routedLayers[0]
    let all = (0..<scenario.first.expertCount).map { ExpertID(layer: layer, index: $0) }
    run.experts.warmUp(all + all)
    while run.experts.continueWarmUp() {}
    let shares = run.experts.cache.geometry.floors(share: 1)
    #expect(run.experts.cache.residents == Array(all.prefix(shares[layer])))
    #expect(run.experts.warmedExpertCount == shares[layer])
    #expect(run.experts.statistics.prefill.requestCount == 0)
  }

  @Test func theHottestAreThoseUsedMost() throws {
    let scenario = Scenario(seed: 2)
    let run = try makeRun(scenario, policy: "lru", poolShare: 1)
    let recorder = SelectionRecorder()
    run.decoder.observer = recorder
    var draw = Draw(seed: 2)
    try run.decoder.withSequence { sequence in
      for token in draw.tokens(30, of: scenario.first) {
        try run.decoder.forward(CollectionOfOne(token), of: sequence, phase: .decode)
      }
    }
    var counts: [ExpertID: Int] = [:]
    for step in recorder.steps {
      for index in step.experts {
        counts[ExpertID(layer: step.layer, index: index), default: 0] += 1
      }
    }
    let hottest = run.experts.hottestExperts
    #expect(Set(hottest) == Set(counts.keys))
    let ordered = hottest.map { counts[$0] ?? 0 }
    #expect(ordered == ordered.sorted(by: >))
  }
}

/// Keeps each layer's selection of each step.
private final class SelectionRecorder: DecoderObserver {
  private(set) var steps: [(layer: Int, experts: [Int])] = []

  func didRoute(layer: Int, start: Int, logits: FloatRows, selection: Selection) {
    steps.append(
      (layer, (0..<selection.expertsPerToken).map { selection.expert(token: 0, rank: $0) }))
  }

  func didFinish(layer: Int, _ hidden: FloatRows) {}
  func didEmbed(_ hidden: FloatRows) {}
  func didNormalize(_ rows: FloatRows) {}
}
