internal import MoEAnalysis
internal import MoECache
internal import MoECore

/// Analysis of routing traces: a run goes over a trace once, for all numbers of slots where the
/// rule allows it.
///
/// The full size is a million events of one token in one layer, of the shape of DeepSeek-V2-Lite; a
/// policy should take less than a second for it.
enum ReplayBenchmark {
  @Sendable static func benchmarks(_ context: BenchmarkContext) -> [Benchmark] {
    let rules: [StackRule] = [.lru, .lfu, .belady, .segment(length: 16)]
    let scopes: [ReplayConventions] = [.engine, .engine.scoped(.pool), .december]
    let curves = zip(["layer", "pool", "december"], scopes).flatMap { name, conventions in
      rules.map { curve($0, name, conventions, context) }
    }
    let policies = PolicyRegistry.all.map { policy in
      benchmark("policy/\(policy.name)", context) {
        misses(policy, $0)
      } isRight: { found, routing in
        let best = try HitCurves(routing, rule: .belady, conventions: .engine).total
        return best.requestCount - best.hitCount(slots: slots, coldMisses: .counted) <= found
      }
    }
    let consistency = [16, 256].map { length in
      benchmark("srp/\(length)", context) {
        try RoutingConsistency($0, segmentLength: length, bootstrap: nil).experts.count
      } isRight: { found, routing in
        let isLongEnough = routing.sequences.contains { $0.count >= length }
        return found == (isLongEnough ? routing.layerCount * routing.expertCount : 0)
      }
    }
    return curves + policies + consistency
  }

  private static let slots = 12

  private static func curve(
    _ rule: StackRule, _ name: String, _ conventions: ReplayConventions,
    _ context: BenchmarkContext
  ) -> Benchmark {
    func misses(_ rule: StackRule, _ routing: RoutingSequences) throws -> Int {
      let total = try HitCurves(routing, rule: rule, conventions: conventions).total
      let pooled = conventions.scope == .pool ? routing.layerCount : 1
      return total.requestCount - total.hitCount(slots: slots * pooled, coldMisses: .counted)
    }
    return benchmark("curve/\(name)/\(rule.name)", context) { routing in
      try misses(rule, routing)
    } isRight: { found, routing in
      // In the engine's own conventions recency is also what its cache does.
      if rule == .lru, conventions == .engine, let policy = PolicyRegistry.entry(named: "lru") {
        return found == self.misses(policy, routing)
      }
      // As released, looking ahead can be above the optimum.
      if case .segment = rule, conventions.protection == .none {
        return found < routing.experts.count
      }
      return try misses(.belady, routing) <= found && found < routing.experts.count
    }
  }

  private static func misses(_ policy: PolicyEntry, _ routing: RoutingSequences) -> Int {
    let replay = PolicyReplay(
      routing, policy: policy, slotCounts: [slots], conventions: .engine)
    return replay.points[0].requestCount - replay.points[0].hitCount
  }

  /// `isRight` judges the number that `analyse` gives; the tests do so more closely.
  private static func benchmark(
    _ name: String, _ context: BenchmarkContext,
    _ analyse: @escaping (RoutingSequences) throws -> Int,
    isRight: @escaping (Int, RoutingSequences) throws -> Bool
  ) -> Benchmark {
    Benchmark(name: "replay/\(name)") {
      let tokenCount = context.size(1_000_000 / 26, toy: 40)
      let routing = try routing(tokenCount: tokenCount)
      var found = 0
      return Benchmark.Prepared(
        operationCount: tokenCount * routing.layerCount, memory: [],
        run: { found = try analyse(routing) }, isRight: { try isRight(found, routing) })
    }
  }

  /// Experts that come back: half of a token's are the last token's, the others are drawn.
  private static func routing(tokenCount: Int) throws -> RoutingSequences {
    let (layerCount, expertCount, expertsPerToken) = (26, 64, 6)
    var random = SeededGenerator(seed: 26)
    var experts: [Int32] = []
    experts.reserveCapacity(tokenCount * layerCount * expertsPerToken)
    for token in 0..<tokenCount {
      for layer in 0..<layerCount {
        var chosen: [Int32] = []
        if token > 0 {
          let last = ((token - 1) * layerCount + layer) * expertsPerToken
          chosen += experts[last..<last + expertsPerToken].filter { _ in random.next() & 1 == 0 }
        }
        while chosen.count < expertsPerToken {
          let expert = Int32.random(in: 0..<Int32(expertCount), using: &random)
          if !chosen.contains(expert) { chosen.append(expert) }
        }
        experts += chosen
      }
    }
    return try RoutingSequences(
      layerCount: layerCount, expertCount: expertCount, expertsPerToken: expertsPerToken,
      experts: experts,
      sequenceStarts: Array(stride(from: 0, to: tokenCount, by: min(512, tokenCount))))
  }
}
