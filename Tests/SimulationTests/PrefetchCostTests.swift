import MoECache
import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEStore
import MoESynthetic
import MoETestSupport
import Testing

/// What the trial of prefetching is told of a run.
@Suite struct PrefetchCostTests {
  @Test func theTrialKnowsWhatDecodingMissedAndNothingOfThePrompt() throws {
    var shape = SyntheticModel(.qwen3moe)
    (shape.layerCount, shape.expertCount, shape.expertsPerToken) = (3, 16, 2)
    let model = try SimulatedModel(shape, shape, foreignLayers: [])
    let layout = model.tensors.experts
    let experts = try OffloadedExperts(
      layout,
      reader: try ExtentReader(
        backend: MemoryBackend(contents: model.contents, depth: 4), files: model.files),
      team: try WorkerTeam(workerCount: 1), poolByteCount: PoolLayout(layout).fullByteCount / 3)
    let decoder = try model.decoder(
      experts, team: try WorkerTeam(workerCount: 1), chunk: 8, contextLength: 32, kvType: .f32)
    let sequence = try #require(decoder.beginSequence())
    for round in 0..<2 {
      decoder.cut(sequence)
      try decoder.forward([1, 60, 3, 40, 5, 36, 7, 80], of: sequence, phase: .prefill)
      for token: Int32 in 10..<13 {
        try decoder.forward([token + Int32(50 * round)], of: sequence, phase: .decode)
      }
    }
    // A token's cost is known once the next pass begins.
    try decoder.forward([1], of: sequence, phase: .prefill)
    let missCount = experts.cache.counters(for: .decode).missCount
    #expect(missCount > 0 && experts.cache.counters(for: .prefill).missCount > 0)
    let cost = experts.trial.costs.off
    #expect(cost.missedByteCount == missCount * layout.layers[0].storedByteCountPerExpert)
    #expect(cost.stallNanoseconds == experts.statistics.decode.stallNanoseconds)
    #expect(cost.nanoseconds >= cost.stallNanoseconds && cost.nanoseconds > 0)
  }
}
