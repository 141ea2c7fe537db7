import Foundation
import MoEAnalysis
import MoECache
import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoERuntime
import MoEStore
import MoESynthetic
import MoETestSupport
import Testing

/// A recorded run, prompts in chunks and tokens one by one, replayed from its file: the same hits
/// in each pass and layer.
@Suite struct RecordedReplayTests {
  /// Hands everything on to a recorder and keeps what the source counted for each pass and layer.
  private final class CountingObserver: DecoderObserver {
    struct Step: Equatable {
      var pass: Int
      var layer: Int
      var requestCount: Int
      var hitCount: Int
    }

    private(set) var steps: [Step] = []
    private let recorder: RoutingRecorder
    private let experts: OffloadedExperts
    private var pass = -1
    private var before = ExpertStatistics()

    init(_ recorder: RoutingRecorder, _ experts: OffloadedExperts) {
      self.recorder = recorder
      self.experts = experts
    }

    func didBegin(_ tokens: IndexView, _ sequences: [SequenceRows]) {
      pass += 1
      before = experts.statistics
      recorder.didBegin(tokens, sequences)
    }

    func didRoute(layer: Int, start: Int, logits: FloatRows, selection: Selection) {
      recorder.didRoute(layer: layer, start: start, logits: logits, selection: selection)
    }

    func didFinish(layer: Int, _ hidden: FloatRows) {
      recorder.didFinish(layer: layer, hidden)
      // A layer without experts asks for none.
      guard experts.layout.layers[layer].expertCount > 0 else { return }
      let change = experts.statistics - before
      before = experts.statistics
      steps.append(
        Step(
          pass: pass, layer: layer,
          requestCount: change.prefill.requestCount + change.decode.requestCount,
          hitCount: change.prefill.hitCount + change.decode.hitCount))
    }

    func didEmbed(_ hidden: FloatRows) {}
    func didNormalize(_ rows: FloatRows) {}
  }

  private struct Run {
    let experts: OffloadedExperts
    let steps: [CountingObserver.Step]
    let trace: RoutingTrace
    let tokens: [Int32]
  }

  /// Three sequences: a prompt in chunks, then tokens one by one.
  private func run(_ scenario: Scenario, policy: PolicyEntry, path: String) throws -> Run {
    let model = try SimulatedModel(
      scenario.first, scenario.second, foreignLayers: scenario.foreignLayers)
    let backend = MemoryBackend(contents: model.contents, depth: 8)
    let layout = model.tensors.experts
    let pool = PoolLayout(layout)
    let wanted = Int(Double(pool.fullByteCount) * scenario.poolShare)
    let team = try WorkerTeam(workerCount: 1)
    let experts = try OffloadedExperts(
      layout, reader: try ExtentReader(backend: backend, files: model.files), team: team,
      poolByteCount: max(pool.floorByteCount, wanted), prefetch: scenario.prefetch,
      policy: policy)
    let decoder = try model.decoder(
      experts, team: team, chunk: scenario.chunk, contextLength: 64, kvType: .f32)
    var contents = RoutingTraceContents()
    (contents.weights, contents.tokenIDs, contents.passes) = (true, true, true)
    let recorder = RoutingRecorder(
      try RoutingTraceWriter(
        path: path,
        metadata: RoutingTraceMetadata(
          expertCount: scenario.first.expertCount,
          expertsPerToken: scenario.first.expertsPerToken,
          layers: layout.routedLayers),
        contents: contents))
    let observer = CountingObserver(recorder, experts)
    decoder.observer = observer
    var draw = Draw(seed: scenario.seed)
    var tokens: [Int32] = []
    for number in 0..<3 {
      recorder.beginSequence(label: "\(number)")
      let sequence = try #require(decoder.beginSequence())
      defer { decoder.endSequence(sequence) }
      let prompt = draw.tokens(draw.integer(1...40), of: scenario.first)
      var start = 0
      while start < prompt.count {
        let count = min(scenario.chunk, prompt.count - start)
        try decoder.forward(
          prompt[start..<start + count], of: sequence, phase: .prefill)
        start += count
      }
      let more = draw.tokens(draw.integer(0...20), of: scenario.first)
      for token in more {
        try decoder.forward(CollectionOfOne(token), of: sequence, phase: .decode)
      }
      tokens += prompt + more
    }
    try recorder.finish()
    return Run(
      experts: experts, steps: observer.steps, trace: try RoutingTrace(contentsOf: path),
      tokens: tokens)
  }

  @Test(arguments: PolicyRegistry.all.map(\.name))
  func everyPassHitsWhatItsReplayHits(_ name: String) throws {
    let policy = try #require(PolicyRegistry.entry(named: name))
    let folder = try TemporaryFolder()
    let path = folder.url.appending(path: "a.moetrace").path
    var (prefillHits, decodeHits, turns) = (0, 0, 0)
    for seed: UInt64 in 0..<30 {
      let run = try run(Scenario(seed: seed), policy: policy, path: path)
      #expect(run.trace.tokenIDs == run.tokens, "seed \(seed)")
      #expect(run.trace.labels == ["0", "1", "2"], "seed \(seed)")
      var replay = PassReplay(geometry: run.experts.cache.geometry, policy: policy)
      var steps: [CountingObserver.Step] = []
      replay.run(run.trace) { pass, layer, counts in
        steps.append(
          CountingObserver.Step(
            pass: pass, layer: run.experts.layout.routedLayers[layer],
            requestCount: counts.requestCount, hitCount: counts.hitCount))
      }
      #expect(steps == run.steps, "seed \(seed)")
      let statistics = run.experts.statistics
      #expect(replay.prefill.requestCount == statistics.prefill.requestCount, "seed \(seed)")
      #expect(replay.prefill.hitCount == statistics.prefill.hitCount, "seed \(seed)")
      #expect(replay.decode.requestCount == statistics.decode.requestCount, "seed \(seed)")
      #expect(replay.decode.hitCount == statistics.decode.hitCount, "seed \(seed)")
      #expect(replay.cache.residents == run.experts.cache.residents, "seed \(seed)")
      for phase in InferencePhase.allCases {
        #expect(
          replay.cache.counters(for: phase) == run.experts.cache.counters(for: phase),
          "seed \(seed)")
      }
      prefillHits += statistics.prefill.hitCount
      decodeHits += statistics.decode.hitCount
      turns += run.trace.passes.count { $0.count > 1 }
    }
    #expect(prefillHits > 500 && decodeHits > 500 && turns > 50)
  }
}
