import MoEAnalysis
import MoECore
import Testing

/// Routing drawn so that it is as consistent as a published model's must hit about as often.
@Suite struct SyntheticRoutingTests {
  private let tokenCount = 512
  private let layerCount = 2

  /// Each expert has a score that drifts over some 30 tokens, and one that is mostly new with
  /// each and `noise` times as large; the highest sums are taken.
  private func routing(
    _ model: PublishedConsistency, noise: Float, sampleCount: Int
  ) throws -> RoutingSequences {
    var random = SeededGenerator(seed: 15)
    let scoreCount = layerCount * model.expertCount
    var experts: [Int32] = []
    for _ in 0..<sampleCount {
      var slow = (0..<scoreCount).map { _ in Float(random.nextGaussian()) }
      var fast = slow
      for _ in 0..<tokenCount {
        for index in 0..<scoreCount {
          slow[index] = 0.97 * slow[index] + 0.243 * Float(random.nextGaussian())
          fast[index] = 0.3 * fast[index] + 0.954 * Float(random.nextGaussian())
        }
        for layer in 0..<layerCount {
          let scores = (0..<model.expertCount).map {
            slow[layer * model.expertCount + $0] + noise * fast[layer * model.expertCount + $0]
          }
          let order = scores.indices.sorted { scores[$0] > scores[$1] }
          experts += order.prefix(model.expertsPerToken).map { Int32($0) }
        }
      }
    }
    return try RoutingSequences(
      layerCount: layerCount, expertCount: model.expertCount,
      expertsPerToken: model.expertsPerToken, experts: experts,
      sequenceStarts: Array(stride(from: 0, to: sampleCount * tokenCount, by: tokenCount)))
  }

  private func performance(_ routing: RoutingSequences) throws -> Double {
    let found = try RoutingConsistency(routing, segmentLength: 16, bootstrap: nil)
    return try #require(found.model).router.performance
  }

  /// Fitted to segment routing performance alone; hit rates of the pool come out within a few
  /// points of the published ones.
  @Test(arguments: ["OLMoE", "DeepSeek-V2-Lite", "Mixtral-8x7B"])
  func routingAsConsistentHitsAsOften(_ name: String) throws {
    let model = try #require(PublishedConsistency.all.first { $0.model == name })
    let wanted = try #require(model.performance(segmentLength: 16))
    var (low, high) = (Float(0), Float(6))
    for _ in 0..<7 {
      let middle = (low + high) / 2
      let found = try performance(routing(model, noise: middle, sampleCount: 2))
      if found > wanted { low = middle } else { high = middle }
    }
    let synthetic = try routing(model, noise: (low + high) / 2, sampleCount: 4)
    #expect(abs(try performance(synthetic) - wanted) < 0.02)
    // The optimum of the smallest pool depends on more of the routing than its consistency.
    let rules: [(StackRule, [Double], smallest: Double)] = [
      (.lru, model.lru, 0.06), (.segment(length: 16), model.segmentCache, 0.06),
      (.belady, model.belady, 0.08),
    ]
    for (rule, published, smallest) in rules {
      let curves = try HitCurves(synthetic, rule: rule, conventions: .december)
      for (ratio, rate) in zip(PublishedConsistency.poolRatios, published) {
        let found = try #require(
          curves.meanHitRate(slots: curves.slots(perToken: Double(ratio)))?.value)
        #expect(
          abs(found - rate) < (ratio == 1 ? smallest : 0.05),
          "\(rule.name), \(ratio) times: \(found), not \(rate)")
      }
    }
  }
}
