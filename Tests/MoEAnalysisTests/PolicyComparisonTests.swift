import MoEAnalysis
import MoECache
import MoECore
import MoETestSupport
import Testing

@Suite struct PolicyComparisonTests {
  /// The first part of a long trace, which is enough to tell policies apart.
  private func beginning(_ name: String, tokenCount: Int) throws -> (RoutingTrace, Int) {
    let file = try RoutingTraceFile(name)
    let count = min(tokenCount, file.tokenCount)
    let starts = file.trace.sequenceStarts.filter { $0 < count }
    let trace = RoutingTrace(
      layerCount: file.layerCount, expertsPerToken: file.expertsPerToken,
      experts: Array(file.trace.experts.prefix(count * file.layerCount * file.expertsPerToken)),
      sequenceStarts: starts)
    return (trace, file.expertCount)
  }

  static let names = [
    "real/deepseek-v2-lite-chat-prompts", "real/gemma-4-26b-a4b-chat", "real/gpt-oss-20b-mmlu",
    "real/mixtral-8x7b-humaneval", "real/qwen3-30b-a3b-chat", "nano-moe/english", "nano-moe/c",
  ]

  /// The choice that `PolicyRegistry.defaultEntry` documents, and that nobody beats the optimum.
  /// The default is best over all pools together, and in each of them as good as to a point.
  @Test(arguments: names) func theDefaultPolicyDoesBestAndNobodyBeatsTheOptimum(
    _ name: String
  ) throws {
    let (trace, expertCount) = try beginning(name, tokenCount: 512)
    let comparison = try PolicyComparison(
      trace, name: name, expertCount: expertCount, multiples: [1, 1.5, 2, 4],
      policies: PolicyRegistry.all)
    let best = try #require(comparison.rows.first { $0.policy == PolicyRegistry.defaultEntry.name })
    for row in comparison.rows {
      #expect(
        row.hitRates.reduce(0, +) <= best.hitRates.reduce(0, +),
        "\(row.policy): \(row.hitRates), default: \(best.hitRates)")
      for index in comparison.multiples.indices {
        #expect(row.hitRates[index] <= best.hitRates[index] + 0.01, "\(row.policy)")
        #expect(row.hitRates[index] <= comparison.optimumInOnePool[index], "\(row.policy)")
      }
    }
    for (even, one) in zip(comparison.optimumInEvenShares, comparison.optimumInOnePool) {
      #expect(even <= one)
    }
  }

  /// Half of the way from recency to the optimum where it was 28 %, and a third where it was 15 %.
  @Test(arguments: [("gpt-oss-20b-mmlu", 0.45), ("deepseek-v2-lite-chat-prompts", 0.30)])
  func learningRecoversMuchOfTheGap(_ name: String, _ goal: Double) throws {
    let (trace, expertCount) = try beginning("real/" + name, tokenCount: 8192)
    let comparison = try PolicyComparison(
      trace, name: name, expertCount: expertCount, multiples: [2],
      policies: [PolicyRegistry.defaultEntry])
    let share = try #require(comparison.recoveredShare(comparison.rows[0], multiple: 0))
    #expect(share >= goal)
  }

  /// Hit rates by hand: 0 1 0 2 0 1 in two slots hits twice, and no policy can do better.
  @Test func writesATable() throws {
    let trace = RoutingTrace(layerCount: 1, expertsPerToken: 1, experts: [0, 1, 0, 2, 0, 1])
    let comparison = try PolicyComparison(
      trace, name: "t", expertCount: 3, multiples: [1, 1.5, 2, 3],
      policies: [try #require(PolicyRegistry.entry(named: "lru"))])
    #expect(
      comparison.markdown == """
        | policy | 1 | 1.5 | 2 | 3 |
        |---|---:|---:|---:|---:|
        | lru | 0.0 | 0.0 | 33.3 | 50.0 |
        | optimum, even shares | 0.0 | 0.0 | 33.3 | 50.0 |
        | optimum, one pool | 0.0 | 0.0 | 33.3 | 50.0 |

        """)
  }

  @Test func recencyHasNothingOfItsGapAndWhereThereIsNoneThereIsNoNumber() throws {
    // Cyclic: recency hits nothing in two slots, the optimum half of what comes back.
    let experts = (0..<30).map { Int32($0 % 3) }
    let trace = RoutingTrace(layerCount: 1, expertsPerToken: 1, experts: experts)
    let comparison = try PolicyComparison(
      trace, name: "t", expertCount: 3, multiples: [2, 3],
      policies: [try #require(PolicyRegistry.entry(named: "lru"))])
    #expect(comparison.recoveredShare(comparison.rows[0], multiple: 0) == 0)
    #expect(comparison.recoveredShare(comparison.rows[0], multiple: 1) == nil)
  }
}
