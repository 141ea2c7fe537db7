import MoECache
import MoETestSupport
import Testing

/// Hit rates published with recorded traces of real models.
///
/// The table's rules: one cache of 2k experts per layer, cold at the start, kept across sequences.
/// The experts of one token count as used in the order listed, so that the first is the oldest;
/// this cache takes the first for the best and most recent, so selections are handed over reversed.
@Suite struct RecordedTraceTests {
  struct Published: Sendable, CustomTestStringConvertible {
    var name: String
    /// Share of requests hit, to three digits.
    var leastRecentlyUsed: Double
    var optimum: Double
    var testDescription: String { name }
  }

  static let published = [
    Published(name: "deepseek-v2-lite-chat-prompts", leastRecentlyUsed: 0.396, optimum: 0.568),
    Published(name: "gemma-4-26b-a4b-chat", leastRecentlyUsed: 0.518, optimum: 0.661),
    Published(name: "gpt-oss-20b-mmlu", leastRecentlyUsed: 0.650, optimum: 0.774),
    Published(name: "mixtral-8x7b-humaneval", leastRecentlyUsed: 0.623, optimum: 0.750),
    Published(name: "qwen3-30b-a3b-chat", leastRecentlyUsed: 0.518, optimum: 0.667),
  ]

  @Test(arguments: published) func leastRecentlyUsedMatchesThePublishedRate(
    _ published: Published
  ) throws {
    let trace = try RoutingTraceFile("real/" + published.name)
    let policy = try #require(PolicyRegistry.entry(named: "lru"))
    let hits = (0..<trace.layerCount).reduce(0) { sum, layer in
      let requests = trace.requests(layer: layer).map { Array($0.reversed()) }
      return sum
        + hitCount(
          requests, expertCount: trace.expertCount, slotCount: 2 * trace.expertsPerToken,
          policy: policy)
    }
    #expect(trace.rate(hits) == published.leastRecentlyUsed)
  }

  @Test(arguments: published.filter { !$0.name.hasPrefix("deepseek") })
  func theOptimumMatchesThePublishedRateAndNoPolicyBeatsIt(_ published: Published) throws {
    let trace = try RoutingTraceFile("real/" + published.name)
    let slotCount = 2 * trace.expertsPerToken
    var optimum = 0
    for layer in 0..<trace.layerCount {
      let requests = trace.requests(layer: layer)
      let best = beladyHitCount(requests, slotCount: slotCount)
      for policy in PolicyRegistry.all {
        let hits = hitCount(
          requests, expertCount: trace.expertCount, slotCount: slotCount, policy: policy)
        #expect(hits <= best, "\(policy.name), layer \(layer)")
      }
      optimum += best
    }
    #expect(trace.rate(optimum) == published.optimum)
  }

  /// The choice that `PolicyRegistry.defaultEntry` documents.
  @Test(arguments: published.filter { !$0.name.hasPrefix("deepseek") }, [1.5, 2, 3])
  func theDefaultPolicyDoesBestInAPoolForAllLayers(
    _ published: Published, _ tokensHeld: Double
  ) throws {
    let trace = try RoutingTraceFile("real/" + published.name)
    let best = trace.hits(in: tokensHeld, PolicyRegistry.defaultEntry)
    for policy in PolicyRegistry.all {
      #expect(trace.hits(in: tokensHeld, policy) <= best, "\(policy.name)")
    }
  }
}

extension RoutingTraceFile {
  /// One layer's selections, token by token.
  fileprivate func requests(layer: Int) -> [[Int]] {
    (0..<tokenCount).map { Array(selection(token: $0, layer: layer)) }
  }

  /// A share of all requests, to three digits.
  fileprivate func rate(_ hits: Int) -> Double {
    (Double(hits) / Double(experts.count) * 1000).rounded() / 1000
  }

  /// Hits in one pool for all layers that holds what `tokensHeld` tokens use.
  fileprivate func hits(in tokensHeld: Double, _ policy: PolicyEntry) -> Int {
    let slotCount = Int(tokensHeld * Double(layerCount * expertsPerToken))
    var cache = ExpertCache(
      geometry: uniform(layerCount: layerCount, expertCount: expertCount, slotCount: slotCount),
      policy: policy)
    for token in 0..<tokenCount {
      for layer in 0..<layerCount {
        load(Array(selection(token: token, layer: layer)), of: layer, at: token, into: &cache)
      }
    }
    return cache.counters.hitCount
  }
}
