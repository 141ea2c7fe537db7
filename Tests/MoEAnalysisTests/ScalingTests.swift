import MoEAnalysis
import Testing

/// "Unified Scaling Laws for Routed Language Models" (arXiv 2202.01169).
@Suite struct ScalingTests {
  /// (parameters, experts, saturated experts, loss, effective parameters)
  @Test(arguments: [
    (5e6, 128.0, 91.405 as Double?, 2.8915, 5.18e7), (5.5e7, 64, 53.769, 2.5290, 2.79e8),
    (1.3e9, 128, nil, 2.0217, 4.64e9),
  ])
  func theLawGivesItsPublishedFigures(
    _ parameters: Double, _ experts: Double, _ saturated: Double?, _ loss: Double,
    _ effective: Double
  ) {
    let law = RoutedScalingLaw.sBase
    if let saturated {
      #expect(abs(law.saturatedExpertCount(experts) - saturated) < 5e-4)
    }
    #expect(abs(law.loss(parameterCount: parameters, expertCount: experts) - loss) < 5e-5)
    let found = law.effectiveParameterCount(parameterCount: parameters, expertCount: experts)
    #expect(abs(found / effective - 1) < 2e-3)
  }

  @Test func aDenseModelIsWorthItself() {
    for law in RoutedScalingLaw.published {
      #expect(abs(law.saturatedExpertCount(1) / law.expertCountStart - 1) < 1e-12)
      for parameters in [1e6, 1e8, 1e10] {
        let found = law.effectiveParameterCount(parameterCount: parameters, expertCount: 1)
        #expect(abs(found / parameters - 1) < 1e-9, "\(law.router)")
        for experts in [2.0, 8, 64, 512] {
          let worth = law.effectiveParameterCount(
            parameterCount: parameters, expertCount: experts)
          let (routed, dense) = (
            law.loss(parameterCount: parameters, expertCount: experts),
            law.loss(parameterCount: worth, expertCount: 1)
          )
          #expect(abs(routed / dense - 1) < 1e-9, "\(law.router), \(experts) experts")
        }
      }
      #expect(law.saturatedExpertCount(1e9) <= law.expertCountMax)
      #expect(law.saturatedExpertCount(.nan).isFinite || law.saturatedExpertCount(.nan).isNaN)
    }
  }

  @Test func modelsCountTheirExpertsByWhatATokenTakes() throws {
    let worth = try #require(
      EffectiveParameters(activeCount: 55_000_000, expertCount: 512, expertsPerToken: 8))
    #expect(worth.expertRatio == 64)
    #expect(abs(worth.count / 2.79e8 - 1) < 2e-3)
    #expect(EffectiveParameters(activeCount: 1, expertCount: 4, expertsPerToken: 0) == nil)
    #expect(EffectiveParameters(activeCount: 1, expertCount: 4, expertsPerToken: 5) == nil)
    #expect(EffectiveParameters(activeCount: 0, expertCount: 4, expertsPerToken: 1) == nil)
    let limits = EffectiveParameters.limits
    #expect(limits.hasSuffix(".") && !limits.dropLast().contains(". "))
  }

  @Test func publishedFiguresKeepTheirOrder() throws {
    #expect(PublishedConsistency.all.count == 22)
    for model in PublishedConsistency.all {
      let performances = model.performances.compactMap(\.self)
      #expect(zip(performances, performances.dropFirst()).allSatisfy { $0 > $1 }, "\(model.model)")
      let rate = Double(model.expertsPerToken) / Double(model.expertCount)
      #expect(performances.allSatisfy { $0 >= 2 * rate / (1 + rate) - 1e-4 }, "\(model.model)")
      for pool in 0..<3 {
        let belady = model.belady[pool]
        for rates in [model.lru, model.lfu, model.segmentCache] {
          #expect(rates.count == 3 && rates[pool] <= belady, "\(model.model)")
        }
      }
    }
    let olmoe = try #require(PublishedConsistency.all.first { $0.model == "OLMoE" })
    #expect(abs(try #require(olmoe.performance(segmentLength: 16)) - 0.509) < 5e-4)
    #expect(olmoe.performance(segmentLength: 5) == nil)
    let band = try #require(PublishedConsistency.band(segmentLength: 16))
    #expect(abs(band.lowerBound - 0.193) < 5e-4 && abs(band.upperBound - 0.782) < 5e-4)
    #expect(PublishedConsistency.band(segmentLength: 3) == nil)
  }
}
