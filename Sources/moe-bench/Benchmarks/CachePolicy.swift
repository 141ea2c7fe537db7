internal import MoECache
internal import MoECore

/// What the expert cache's bookkeeping costs for one token in all layers, reads left out. It should
/// stay below 1 % of a token's time.
enum CachePolicyBenchmark {
  /// A model's shape: layers, experts of each, experts per token.
  private struct Shape {
    let layerCount: Int
    let expertCount: Int
    let expertsPerToken: Int
  }

  @Sendable static func benchmarks(_ context: BenchmarkContext) -> [Benchmark] {
    let shapes = [
      Shape(layerCount: 16, expertCount: 64, expertsPerToken: 8),
      Shape(layerCount: 48, expertCount: 128, expertsPerToken: 8),
    ]
    return PolicyRegistry.all.flatMap { policy in
      shapes.map { benchmark(policy, $0, context) }
    }
  }

  /// A pool of twice what one token uses. The benchmark is right if every request was counted, and
  /// some of them hit.
  private static func benchmark(
    _ policy: PolicyEntry, _ shape: Shape, _ context: BenchmarkContext
  ) -> Benchmark {
    let size = "\(shape.layerCount)x\(shape.expertCount)x\(shape.expertsPerToken)"
    return Benchmark(name: "eviction/\(policy.name)/\(size)") {
      let tokens = selections(shape, tokenCount: context.size(512, toy: 8))
      let layer = LayerGeometry(expertCount: shape.expertCount, sizeClass: 0)
      let requestsPerToken = shape.layerCount * shape.expertsPerToken
      var cache = ExpertCache(
        geometry: CacheGeometry(
          layers: Array(repeating: layer, count: shape.layerCount),
          slotCounts: [2 * requestsPerToken]),
        policy: policy)
      var outcomes: [RequestedExpert] = []
      var time = 0
      func runToken() {
        for layer in 0..<shape.layerCount {
          let first =
            (time % (tokens.count / requestsPerToken)) * requestsPerToken
            + layer * shape.expertsPerToken
          cache.request(
            layer: layer, experts: tokens.span.extracting(first..<first + shape.expertsPerToken),
            time: time, into: &outcomes)
          cache.finish(outcomes)
        }
        time += 1
      }
      return Benchmark.Prepared(
        memory: [], run: runToken,
        isRight: {
          runToken()
          let counters = cache.counters
          return counters.requestCount == time * requestsPerToken && counters.hitCount > 0
        })
    }
  }

  /// (token, layer, rank): half of a token's experts are the last token's, the others are drawn.
  private static func selections(_ shape: Shape, tokenCount: Int) -> [Int] {
    var random = SeededGenerator(seed: 8)
    var experts: [Int] = []
    let requestsPerToken = shape.layerCount * shape.expertsPerToken
    for token in 0..<tokenCount {
      for _ in 0..<shape.layerCount {
        var chosen: [Int] = []
        if token > 0 {
          let last = experts.count - requestsPerToken
          chosen = experts[last..<last + shape.expertsPerToken].filter { _ in
            random.next() & 1 == 0
          }
        }
        while chosen.count < shape.expertsPerToken {
          let expert = Int.random(in: 0..<shape.expertCount, using: &random)
          if !chosen.contains(expert) { chosen.append(expert) }
        }
        experts += chosen
      }
    }
    return experts
  }
}
