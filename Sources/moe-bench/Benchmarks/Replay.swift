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
      benchmark("policy/\(policy.name)", context) { routing in
        let replay = PolicyReplay(
          routing, policy: policy, slotCounts: [2 * routing.expertsPerToken],
          conventions: .engine)
        return replay.points[0].requestCount - replay.points[0].hitCount
      }
    }
    let consistency = [16, 256].map { length in
      benchmark("srp/\(length)", context) { routing in
        let found = try RoutingConsistency(routing, segmentLength: length, bootstrap: nil)
        return found.experts.count
      }
    }
    return curves + policies + consistency
  }

  private static func curve(
    _ rule: StackRule, _ name: String, _ conventions: ReplayConventions,
    _ context: BenchmarkContext
  ) -> Benchmark {
    benchmark("curve/\(name)/\(rule.name)", context) { routing in
      let curves = try HitCurves(routing, rule: rule, conventions: conventions)
      return curves.total.requestCount - curves.total.hitCount(slots: 12, coldMisses: .counted)
    }
  }

  /// `analyse` gives a number of which only that it is the same in every run is checked, and that
  /// it is not 0: what it should be is for the tests to say.
  private static func benchmark(
    _ name: String, _ context: BenchmarkContext,
    _ analyse: @escaping (RoutingSequences) throws -> Int
  ) -> Benchmark {
    Benchmark(name: "replay/\(name)") {
      let tokenCount = context.size(1_000_000 / 26, toy: 40)
      let routing = try routing(tokenCount: tokenCount)
      let wanted = try analyse(routing)
      var found = wanted
      return Benchmark.Prepared(
        operationCount: tokenCount * routing.layerCount, memory: [],
        run: { found = try analyse(routing) }, isRight: { found == wanted && wanted > 0 })
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
