import Foundation
import MoEAnalysis
import Testing

@Suite struct GatingFrontierTests {
  private func point(
    _ name: String, _ perplexity: Double, _ tokensPerSecond: Double
  ) -> GatingFrontier.Point {
    GatingFrontier.Point(
      gating: name, meanExpertCount: 1, perplexity: perplexity, readBytesPerToken: 0,
      tokensPerSecond: tokensPerSecond)
  }

  private func frontier(_ points: [GatingFrontier.Point]) -> GatingFrontier {
    GatingFrontier(
      model: "m", texts: ["a"], scoredTokenCount: 9, memory: "25% of experts", points: points)
  }

  @Test(arguments: [
    (0.0, "off"), (0.004, "off"), (0.006, "mild"), (0.02, "mild"), (0.1, "strong"),
    (10, "strongest"),
  ])
  func theFastestWithinABoundIsFound(_ bound: Double, _ expected: String) {
    // Of what is as fast as another but for the tolerance, the better is taken.
    let frontier = frontier([
      point("off", 10, 100), point("mild", 10.05, 130), point("slow", 10.01, 90),
      point("no better", 10.15, 131), point("strong", 10.9, 200), point("strongest", 20, 300),
    ])
    #expect(frontier.fastest(within: bound)?.gating == expected)
  }

  @Test func theModelAsItIsAlwaysRemains() {
    #expect(frontier([]).fastest(within: 1) == nil)
    #expect(frontier([point("off", 10, 1)]).fastest(within: 0)?.gating == "off")
    let broken = frontier([point("off", .nan, 1), point("a", .nan, 9)])
    #expect(broken.fastest(within: 1)?.gating == "off")
    // A better perplexity is within any bound.
    let lucky = frontier([point("off", 10, 100), point("lucky", 9.9, 150)])
    #expect(lucky.fastest(within: 0)?.gating == "lucky")
  }
}
