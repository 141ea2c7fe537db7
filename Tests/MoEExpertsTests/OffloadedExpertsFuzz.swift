import MoECache
import MoECore
import MoEExperts
import MoEKernels
import MoEStore
import MoETestSupport
import Testing

/// Random steps, prefetches, loans and warm-ups: whatever the order, every expert that is handed
/// out has the bytes of the file, and nothing stays held.
@Suite struct OffloadedExpertsFuzz {
  /// What the runs came across, so that the test cannot become empty unnoticed.
  private struct Tally {
    var (hits, misses, prefetchesUsed, slotsTaken, warmed) = (0, 0, 0, 0, 0)
  }

  @Test func everyExpertHandedOutIsWhole() throws {
    var tally = Tally()
    for seed: UInt64 in 0..<24 { try run(seed, &tally) }
    #expect(tally.hits > 1000 && tally.misses > 1000, "\(tally)")
    #expect(tally.prefetchesUsed > 100 && tally.slotsTaken > 50 && tally.warmed > 10, "\(tally)")
  }

  private func run(_ seed: UInt64, _ tally: inout Tally) throws {
    var random = SeededGenerator(seed: seed &+ 77)
    let placed = PlacedExperts(
      seed: seed, forms: (0..<4).map { _ in ExpertForm.allCases.randomElement(using: &random)! })
    let layers = placed.layout.routedLayers
    guard !layers.isEmpty else { return }
    let loan = 4096 * Int.random(in: 0...300, using: &random)
    let source = try makeSource(placed, loan: loan, seed: seed, &random)
    if Bool.random(using: &random) {
      source.warmUp(
        layers.flatMap { layer in
          (0..<placed.layers[layer].expertCount).map { ExpertID(layer: layer, index: $0) }
        }.shuffled(using: &random))
    }
    source.beginSequence(SequenceID(rawValue: 0))
    for _ in 0..<80 {
      let chance = Int.random(in: 0..<6, using: &random)
      if chance == 0 && loan > 0 {
        let before = source.slotCount
        source.setLoan(byteCount: 4096 * Int.random(in: 0...loan / 4096, using: &random))
        tally.slotsTaken += max(0, before - source.slotCount)
      }
      if chance == 1 { source.advance() }
      let count = chance == 2 ? Int.random(in: 2...6, using: &random) : 1
      source.beginStep(
        StepRows(
          SequenceID(rawValue: 0), rowCount: count, phase: count == 1 ? .decode : .prefill))
      for layer in layers { try step(source, layer, rowCount: count, placed, &random) }
      let held = (0..<source.cache.geometry.slotCount).filter {
        source.cache.table.isPinned($0) || source.cache.table.state(of: $0) == .loading
      }
      #expect(held.isEmpty, "seed \(seed)")
    }
    for phase in InferencePhase.allCases {
      let counters = source.cache.counters(for: phase)
      #expect(source.statistics[phase].requestCount == counters.requestCount, "seed \(seed)")
      #expect(source.statistics[phase].hitCount == counters.hitCount, "seed \(seed)")
      tally.hits += counters.hitCount
      tally.misses += counters.missCount
      tally.prefetchesUsed += source.statistics[phase].prefetchedCount
    }
    tally.warmed += source.warmedExpertCount
  }

  private func makeSource(
    _ placed: PlacedExperts, loan: Int, seed: UInt64, _ random: inout SeededGenerator
  ) throws -> OffloadedExperts {
    let pool = PoolLayout(placed.layout)
    var faults = SimulatedBackend.Faults()
    (faults.shortRead, faults.again, faults.delayStepsMax) = (0.1, 0.05, 12)
    let share = Int.random(in: 0...4, using: &random)
    return try OffloadedExperts(
      placed.layout,
      reader: try ExtentReader(
        backend: SimulatedBackend(contents: placed.contents, seed: seed, faults: faults),
        files: placed.files),
      team: try WorkerTeam(workerCount: 1),
      poolByteCount: pool.floorByteCount
        + share * (pool.fullByteCount - pool.floorByteCount) / 8,
      loanByteCount: loan,
      prefetch: PrefetchOptions(
        stagingSlotCount: Int.random(in: 0...3, using: &random), leastProbability: 0))
  }

  /// Guesses, right and wrong, then the layer's own experts in ascending order.
  private func step(
    _ source: OffloadedExperts, _ layer: Int, rowCount: Int, _ placed: PlacedExperts,
    _ random: inout SeededGenerator
  ) throws {
    let experts = placed.layers[layer]
    let all = Array(0..<experts.expertCount)
    if source.canPrefetch(layer: layer) {
      source.prefetch(
        layer: layer,
        guesses: all.shuffled(using: &random).prefix(3).map {
          ExpertGuess(expert: $0, probability: 0.9)
        })
      if Bool.random(using: &random) { source.advance() }
    }
    let wanted = min(experts.expertsPerToken * rowCount, experts.expertCount)
    let chosen = all.shuffled(using: &random).prefix(wanted).sorted()
    try source.begin(
      layer: layer,
      requests: chosen.enumerated().map {
        ExpertRequest(expert: $1, lastToken: $0 % rowCount, rank: $0 / rowCount, tokenCount: 1)
      })
    defer { source.end() }
    for (number, expert) in chosen.enumerated() {
      try source.wait(for: number)
      #expect(source.weights(of: number).matches(placed.expected[layer][expert]))
      source.release(number)
    }
  }
}
