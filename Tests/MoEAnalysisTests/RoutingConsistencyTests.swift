import MoEAnalysis
import MoECore
import Testing

@Suite struct RoutingConsistencyTests {
  // MARK: Published vectors

  /// (segment length, histogram, SRP, threshold, relative size)
  @Test(arguments: [
    (2, [10, 8, 10], 0.875, 1, 1.285714), (4, [3, 2, 8, 6, 1], 0.76, 2, 1.5),
  ])
  func aLayerIsAsPublished(
    _ length: Int, _ counts: [Int], _ performance: Double, _ threshold: Int, _ size: Double
  ) throws {
    let histogram = SegmentHistogram(counts: counts)
    let found = try RoutingConsistency(
      RoutingSamples.example(), segmentLength: length, bootstrap: nil)
    for router in [
      try #require(histogram.bestRouter), try #require(found.layers.first?.router),
      try #require(found.model?.router),
    ] {
      #expect(abs(router.performance - performance) < 1e-6)
      #expect(router.threshold == threshold)
      #expect(abs(router.relativeSize - size) < 1e-6)
      #expect(abs(router.activationRate - 0.5) < 1e-12)
    }
  }

  @Test(arguments: [
    (2, [0.933333, 0.823529, 0.857143, 0.909091], [1, 1, 1, 1]),
    (4, [0.818182, 0.666667, 0.823529, 0.714286], [2, 0, 0, 2]),
  ])
  func expertsAreAsPublished(
    _ length: Int, _ performances: [Double], _ thresholds: [Int]
  ) throws {
    let found = try RoutingConsistency(
      RoutingSamples.example(), segmentLength: length, bootstrap: nil)
    for expert in 0..<4 {
      let router = try #require(found.expert(expert, layer: 0)?.router)
      #expect(abs(router.performance - performances[expert]) < 1e-6)
      #expect(router.threshold == thresholds[expert])
    }
    #expect(found.expert(4, layer: 0) == nil && found.expert(0, layer: 1) == nil)
  }

  // MARK: Brute force

  /// (segment, expert): activations, by counting each segment anew.
  private func activations(
    _ routing: RoutingSequences, length: Int, layer: Int
  ) -> [[Int]] {
    routing.sequences.flatMap { tokens in
      tokens.filter { $0 + length <= tokens.upperBound }.map { start in
        (0..<routing.expertCount).map { expert in
          (start..<start + length).count {
            routing.selection(token: $0, layer: layer).contains(Int32(expert))
          }
        }
      }
    }
  }

  /// F1 of a router that is on for some pairs of a segment and an expert, by its definition.
  private func performance(_ counts: [Int], isOn: [Bool], length: Int) -> Double {
    var (truePositive, falsePositive, falseNegative) = (0, 0, 0)
    for (count, isOn) in zip(counts, isOn) {
      if isOn {
        truePositive += count
        falsePositive += length - count
      } else {
        falseNegative += count
      }
    }
    let all = 2 * truePositive + falsePositive + falseNegative
    return all > 0 ? Double(2 * truePositive) / Double(all) : 0
  }

  private func bestByThreshold(_ counts: [Int], length: Int) -> (Double, Int) {
    var best = (0.0, 0)
    for threshold in 0...length {
      let value = performance(counts, isOn: counts.map { $0 >= threshold }, length: length)
      if value > best.0 { best = (value, threshold) }
    }
    return best
  }

  @Test func agreesWithCountingEverySegmentAnew() throws {
    for seed in 0..<40 as Range<UInt64> {
      var shape = RoutingSamples.Shape()
      shape.isRagged = seed % 2 == 1
      let routing = try RoutingSamples.random(seed: seed, shape)
      for length in [1, 2, 3, 4, 7, 16] {
        let found = try RoutingConsistency(routing, segmentLength: length, bootstrap: nil)
        var all: [Int] = []
        for layer in 0..<routing.layerCount {
          let segments = activations(routing, length: length, layer: layer)
          guard !segments.isEmpty else { continue }
          let layerCounts = segments.flatMap { $0 }
          all += layerCounts
          let wanted = bestByThreshold(layerCounts, length: length)
          #expect(abs(found.layers[layer].router.performance - wanted.0) < 1e-12, "seed \(seed)")
          #expect(found.layers[layer].router.threshold == wanted.1, "seed \(seed)")
          for expert in 0..<routing.expertCount {
            let counts = segments.map { $0[expert] }
            let wanted = bestByThreshold(counts, length: length)
            let router = try #require(found.expert(expert, layer: layer)?.router)
            #expect(abs(router.performance - wanted.0) < 1e-12, "seed \(seed)")
            #expect(router.threshold == wanted.1, "seed \(seed)")
            let sum = counts.reduce(0, +)
            let size = counts.count { $0 >= wanted.1 } * length
            #expect(router.relativeSize == (sum > 0 ? Double(size) / Double(sum) : 0))
          }
        }
        #expect((found.model == nil) == all.isEmpty)
        if let model = found.model {
          #expect(abs(model.router.performance - bestByThreshold(all, length: length).0) < 1e-12)
        }
      }
    }
  }

  @Test func noOtherRouterBySegmentIsBetter() throws {
    for seed in 0..<15 as Range<UInt64> {
      var shape = RoutingSamples.Shape(
        tokenCount: 6, layerCount: 1, expertCount: 3, expertsPerToken: 1, sequenceCount: 1)
      shape.expertsPerToken = 1 + Int(seed % 2)
      let routing = try RoutingSamples.random(seed: seed, shape)
      for length in [2, 3] {
        let counts = activations(routing, length: length, layer: 0).flatMap { $0 }
        guard !counts.isEmpty else { continue }
        var best = 0.0
        for mask in 0..<1 << counts.count {
          let isOn = counts.indices.map { (index) -> Bool in mask >> index & 1 == 1 }
          best = max(best, performance(counts, isOn: isOn, length: length))
        }
        let found = try RoutingConsistency(routing, segmentLength: length, bootstrap: nil)
        #expect(abs(try #require(found.model).router.performance - best) < 1e-12, "seed \(seed)")
      }
    }
  }

  // MARK: Properties

  @Test func neverBelowTheRouterThatIsAlwaysOn() throws {
    for seed in 100..<140 as Range<UInt64> {
      let routing = try RoutingSamples.random(seed: seed, RoutingSamples.Shape())
      let found = try RoutingConsistency(routing, segmentLength: 4, bootstrap: nil)
      for group in found.layers + found.experts + [found.model].compactMap(\.self) {
        let rate = group.router.activationRate
        #expect(group.router.performance >= 2 * rate / (1 + rate) - 1e-12, "seed \(seed)")
        #expect(group.router.performance <= 1)
      }
    }
  }

  @Test func segmentsOfOneTokenAreRoutedPerfectly() throws {
    let routing = try RoutingSamples.random(seed: 1, RoutingSamples.Shape())
    let found = try RoutingConsistency(routing, segmentLength: 1)
    #expect(found.model?.router.performance == 1)
    #expect(found.model?.router.relativeSize == 1)
    #expect(found.model?.interval == 1.0...1.0)
  }

  @Test func domainsAreMeasuredOnTheirOwnSequences() throws {
    let routing = try RoutingSequences(
      layerCount: 1, expertCount: 4, expertsPerToken: 2,
      experts: Array(RoutingSamples.example().experts) + [0, 1, 0, 1, 0, 1],
      sequenceStarts: [0, 8], labels: ["mixed", "steady"])
    let mixed = try RoutingConsistency(
      routing.labelled("mixed"), segmentLength: 2, bootstrap: nil)
    #expect(mixed.model?.router.performance == 0.875)
    let steady = try RoutingConsistency(
      routing.labelled("steady"), segmentLength: 2, bootstrap: nil)
    #expect(steady.model?.router.performance == 1)
    #expect(steady.experts[2].router.relativeSize == 0)
  }

  // MARK: Intervals

  /// The statistic of every drawing by adding up histograms that were counted anew.
  @Test func intervalsAreThoseOfRedrawnSequences() throws {
    let routing = try RoutingSamples.random(
      seed: 5,
      RoutingSamples.Shape(tokenCount: 120, layerCount: 2, expertCount: 6, sequenceCount: 9))
    let (length, seed) = (4, UInt64(77))
    let kept = routing.sequences.filter { $0.count >= length }
    func counts(_ tokens: Range<Int>, layer: Int) throws -> [Int] {
      let one = try RoutingSequences(
        layerCount: routing.layerCount, expertCount: routing.expertCount,
        expertsPerToken: routing.expertsPerToken,
        experts: Array(
          routing.experts[
            tokens.lowerBound * 2 * routing.expertsPerToken..<tokens.upperBound * 2
              * routing.expertsPerToken]))
      return activations(one, length: length, layer: layer).flatMap { $0 }
    }
    let bySequence = try kept.map { tokens in try (0..<2).map { try counts(tokens, layer: $0) } }
    var random = SeededGenerator(seed: seed)
    var (layerValues, modelValues) = ([Double](), [Double]())
    for _ in 0..<1000 {
      let drawn = kept.map { _ in Int.random(in: 0..<kept.count, using: &random) }
      layerValues.append(bestByThreshold(drawn.flatMap { bySequence[$0][1] }, length: length).0)
      modelValues.append(
        bestByThreshold(drawn.flatMap { bySequence[$0].flatMap { $0 } }, length: length).0)
    }
    let found = try RoutingConsistency(
      routing, segmentLength: length, bootstrap: Bootstrap(seed: seed), withExpertIntervals: true)
    for (group, values) in [
      (found.layers[1], layerValues), (try #require(found.model), modelValues),
    ] {
      let sorted = values.sorted()
      let interval = try #require(group.interval)
      #expect(abs(interval.lowerBound - (2 * group.router.performance - sorted[975])) < 1e-12)
      #expect(abs(interval.upperBound - (2 * group.router.performance - sorted[25])) < 1e-12)
    }
    #expect(found.experts.allSatisfy { $0.interval != nil })
    let again = try RoutingConsistency(
      routing, segmentLength: length, bootstrap: Bootstrap(seed: seed), withExpertIntervals: true)
    #expect(again.experts == found.experts)
  }

  @Test func aMeansIntervalIsThatOfItsStandardError() throws {
    var random = SeededGenerator(seed: 3)
    let values = (0..<400).map { _ in random.nextGaussian() }
    let estimate = try #require(Bootstrap(seed: 9).mean(values))
    let interval = try #require(estimate.interval)
    let squares = values.reduce(0) { $0 + ($1 - estimate.value) * ($1 - estimate.value) }
    let error = (squares / 400).squareRoot() / 20
    #expect(abs(interval.upperBound - estimate.value - 1.96 * error) < 0.25 * error)
    #expect(abs(estimate.value - interval.lowerBound - 1.96 * error) < 0.25 * error)
    #expect(Bootstrap().mean([])?.value == nil)
    #expect(Bootstrap().mean([0.5]) == Estimate(value: 0.5))
    #expect(Bootstrap(resampleCount: 1).mean([0, 1])?.interval != nil)
    #expect(Bootstrap(resampleCount: 3, confidence: 0).mean([0, 1])?.interval != nil)
  }

  // MARK: Edges

  @Test func tracesAtTheEdgeHaveSensibleValues() throws {
    for (name, routing) in try RoutingSamples.degenerate() {
      for length in [1, 2, 5] {
        let found = try RoutingConsistency(
          routing, segmentLength: length, withExpertIntervals: true)
        let isMeasured = routing.sequences.contains { $0.count >= length }
        #expect((found.model != nil) == isMeasured, "\(name)")
        #expect(found.experts.count == (isMeasured ? routing.layerCount * routing.expertCount : 0))
        for group in found.layers + found.experts {
          #expect(group.router.performance.isFinite && group.router.relativeSize.isFinite)
        }
      }
    }
    let all = try #require(RoutingSamples.degenerate()["all experts"])
    #expect(
      try RoutingConsistency(all, segmentLength: 3).model?.router.performance == 1)
    for length in [0, -1, 1 << 17] {
      #expect(throws: RoutingAnalysisError.self) {
        try RoutingConsistency(all, segmentLength: length)
      }
    }
  }
}
