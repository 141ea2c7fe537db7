import MoEAnalysis
import MoECache
import MoECore
import MoETestSupport
import Testing

@Suite struct CacheReplayTests {
  private func geometry(_ layerCount: Int, _ expertCount: Int, _ slotCount: Int) -> CacheGeometry {
    CacheGeometry(
      layers: Array(
        repeating: LayerGeometry(expertCount: expertCount, sizeClass: 0), count: layerCount),
      slotCounts: [slotCount])
  }

  private func randomTrace(
    seed: UInt64, tokenCount: Int, layerCount: Int, expertCount: Int, expertsPerToken: Int
  ) -> RoutingTrace {
    var random = SeededGenerator(seed: seed)
    var experts: [Int32] = []
    for _ in 0..<tokenCount * layerCount {
      experts += (0..<Int32(expertCount)).shuffled(using: &random).prefix(expertsPerToken)
    }
    return RoutingTrace(
      layerCount: layerCount, expertsPerToken: expertsPerToken, experts: experts)
  }

  /// Two slots; by hand, with the policy that evicts what was used least recently.
  @Test func countsHitsFillsAndEvictions() throws {
    let trace = RoutingTrace(layerCount: 1, expertsPerToken: 1, experts: [0, 1, 0, 2, 0, 1])
    let policy = try #require(PolicyRegistry.entry(named: "lru"))
    let replay = CacheReplay(trace, geometry: geometry(1, 3, 2), policy: policy)
    #expect(replay.fillingMissCount == 2)
    #expect(replay.hitCount == 2)
    #expect(replay.evictingMissCount == 2)
    #expect(replay.hitRate == 0.5)
    #expect(replay.missDistribution == [0.5, 0.5])
  }

  @Test(arguments: PolicyRegistry.all.map(\.name)) func agreesWithTheCachesOwnCounters(
    _ name: String
  ) throws {
    let policy = try #require(PolicyRegistry.entry(named: name))
    for seed in 0..<20 as Range<UInt64> {
      let trace = randomTrace(
        seed: seed, tokenCount: 60, layerCount: 3, expertCount: 10, expertsPerToken: 3)
      let replay = CacheReplay(trace, geometry: geometry(3, 10, 14), policy: policy)
      var cache = ExpertCache(geometry: geometry(3, 10, 14), policy: policy)
      var outcomes: [RequestedExpert] = []
      for token in 0..<60 {
        for layer in 0..<3 {
          let experts = trace.selection(token: token, layer: layer).map(Int.init)
          cache.request(layer: layer, experts: experts.span, time: token, into: &outcomes)
          cache.finish(outcomes)
        }
      }
      let counters = cache.counters
      #expect(replay.hitCount == counters.hitCount, "seed \(seed)")
      #expect(replay.evictingMissCount == counters.evictionCount, "seed \(seed)")
      #expect(
        replay.fillingMissCount == counters.missCount - counters.evictionCount, "seed \(seed)")
      let steps = replay.stepCounts.reduce(0, +)
      #expect(steps <= 180 && steps > 100)
    }
  }

  /// A trace has the layers that have experts, the model may have others between them.
  @Test(arguments: PolicyRegistry.all.map(\.name)) func denseLayersChangeNothing(
    _ name: String
  ) throws {
    let policy = try #require(PolicyRegistry.entry(named: name))
    let trace = randomTrace(
      seed: 4, tokenCount: 80, layerCount: 3, expertCount: 10, expertsPerToken: 3)
    let dense = LayerGeometry(expertCount: 0, sizeClass: 0)
    let routed = LayerGeometry(expertCount: 10, sizeClass: 0)
    let mixed = CacheGeometry(
      layers: [dense, dense, routed, dense, routed, routed, dense], slotCounts: [14])
    #expect(mixed.expertLayers == [2, 4, 5])
    #expect(mixed.floors(share: 1) == [0, 0, 5, 0, 5, 4, 0])
    let alone = CacheReplay(trace, geometry: geometry(3, 10, 14), policy: policy)
    #expect(CacheReplay(trace, geometry: mixed, policy: policy) == alone)
    var passes = PassReplay(geometry: mixed, policy: policy)
    passes.run(trace)
    #expect(passes.prefill.requestCount + passes.decode.requestCount > 0)
    var optimum = OptimalReplay(trace)
    #expect(try optimum.inOnePool(mixed) == optimum.inOnePool(geometry(3, 10, 14)))
    #expect(try optimum.inEvenShares(mixed) == optimum.inEvenShares(geometry(3, 10, 14)))
  }

  /// The most hits that any choice of victims gives, by trying all of them.
  private func bruteForce(
    _ requests: ArraySlice<[Int32]>, slotCount: Int, resident: Set<Int32>
  ) -> Int {
    guard let wanted = requests.first else { return 0 }
    let hits = wanted.count { resident.contains($0) }
    let all = resident.union(wanted)
    let idle = resident.subtracting(wanted).sorted()
    let excess = all.count - slotCount
    guard excess > 0 else {
      return hits + bruteForce(requests.dropFirst(), slotCount: slotCount, resident: all)
    }
    var best = 0
    for mask in 0..<1 << idle.count where mask.nonzeroBitCount == excess {
      let victims = idle.indices.filter { mask >> $0 & 1 == 1 }.map { idle[$0] }
      best = max(
        best,
        bruteForce(
          requests.dropFirst(), slotCount: slotCount, resident: all.subtracting(victims)))
    }
    return hits + best
  }

  /// Hits of one layer.
  private func optimum(_ trace: RoutingTrace, layer: Int, slotCount: Int) throws -> Int {
    let experts = (0..<trace.tokenCount).flatMap { trace.selection(token: $0, layer: layer) }
    let alone = RoutingTrace(
      layerCount: 1, expertsPerToken: trace.expertsPerToken, experts: experts,
      sequenceStarts: trace.sequenceStarts)
    var optimum = OptimalReplay(alone)
    return try optimum.inOnePool(geometry(1, trace.expertCount, slotCount)).hitCount
  }

  @Test func theOptimumIsTheBestOfAllChoicesOfVictims() throws {
    for seed in 0..<60 as Range<UInt64> {
      let expertsPerToken = 1 + Int(seed % 2)
      let trace = randomTrace(
        seed: seed, tokenCount: 9, layerCount: 2, expertCount: 5, expertsPerToken: expertsPerToken)
      for slotCount in expertsPerToken...5 {
        for layer in 0..<2 {
          let requests = (0..<9).map { Array(trace.selection(token: $0, layer: layer)) }
          let found = try optimum(trace, layer: layer, slotCount: slotCount)
          let best = bruteForce(requests[...], slotCount: slotCount, resident: [])
          #expect(found == best, "seed \(seed), layer \(layer), \(slotCount) slots")
        }
      }
    }
  }

  /// Published with the traces (two slots for each expert that a token takes, per layer).
  @Test(arguments: [
    ("deepseek-v2-lite-chat-prompts", 0.568), ("gemma-4-26b-a4b-chat", 0.661),
    ("gpt-oss-20b-mmlu", 0.774), ("mixtral-8x7b-humaneval", 0.750),
    ("qwen3-30b-a3b-chat", 0.667),
  ])
  func theOptimumMatchesThePublishedRate(_ name: String, _ published: Double) throws {
    let file = try RoutingTraceFile("real/" + name)
    let geometry = geometry(
      file.layerCount, file.expertCount, 2 * file.expertsPerToken * file.layerCount)
    var optimum = OptimalReplay(file.trace)
    let even = try optimum.inEvenShares(geometry)
    let rate = Double(even.hitCount) / Double(file.experts.count)
    #expect((rate * 1000).rounded() / 1000 == published)
    #expect(even.requestCount == file.experts.count)
    #expect(try optimum.inOnePool(geometry).hitCount >= even.hitCount)
  }

  /// The policy, told the future, in the cache of the engine, in one pool for all layers.
  @Test func theClairvoyantPolicyHitsWhatTheOptimumHits() throws {
    let belady = try #require(PolicyRegistry.clairvoyant.first { $0.name == "belady" })
    let file = try RoutingTraceFile("real/mixtral-8x7b-humaneval")
    var optimum = OptimalReplay(file.trace)
    for slotCount in [2, 3, 4, 7].map({ $0 * file.layerCount }) {
      let geometry = geometry(file.layerCount, file.expertCount, slotCount)
      let pool = CacheReplay(file.trace, geometry: geometry, policy: belady, floorShare: 0)
      let best = try optimum.inOnePool(geometry)
      #expect(pool.hitCount == best.hitCount)
      #expect(pool.evictingMissCount == best.evictingMissCount)
      let even = try optimum.inEvenShares(geometry)
      #expect(pool.hitCount >= even.hitCount)
    }
  }

  @Test func countsDistinctExpertsOfChunks() {
    let trace = RoutingTrace(layerCount: 1, expertsPerToken: 2, experts: [0, 1, 0, 1, 2, 3, 0, 2])
    let distinct = DistinctExperts(trace, expertCount: 8)
    // One token: 2 of 8; two: 2 and 3 of 8; four: 4 of 8.
    #expect(distinct.points.map(\.demand) == [0.25, 0.5, 1])
    #expect(distinct.points.map(\.share) == [0.25, 2.5 / 8, 0.5])
    #expect(distinct.share(demand: 0.375) == (0.25 + 2.5 / 8) / 2)
    let shares = (0...200).map { distinct.share(demand: Double($0) / 10) }
    #expect(zip(shares, shares.dropFirst()).allSatisfy { $0 <= $1 })
    #expect(shares[0] == 0 && shares[200] > 0.999 && shares[200] <= 1)
  }
}
