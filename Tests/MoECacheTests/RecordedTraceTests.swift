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
    var testDescription: String { name }
  }

  static let published = [
    Published(name: "deepseek-v2-lite-chat-prompts", leastRecentlyUsed: 0.396),
    Published(name: "gemma-4-26b-a4b-chat", leastRecentlyUsed: 0.518),
    Published(name: "gpt-oss-20b-mmlu", leastRecentlyUsed: 0.650),
    Published(name: "mixtral-8x7b-humaneval", leastRecentlyUsed: 0.623),
    Published(name: "qwen3-30b-a3b-chat", leastRecentlyUsed: 0.518),
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

}
