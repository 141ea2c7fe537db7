import Foundation
import MoEModel
import Testing

/// Vectors computed by hand from the papers' rules.
@Suite struct GatingVectorTests {
  /// Quadruple (6, 4, 2, 13) over 26 layers ("Faster MoE LLM Inference", arXiv 2505.03531).
  @Test func aScheduleOfTwentySixLayersIsThePublishedOne() {
    let schedule = LayerSchedule(first: 6, middle: 4, last: 2, turn: 13, layerCount: 26)
    let expected = [6, 6, 6, 6, 5, 5, 5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 3, 3, 3, 3, 3, 2, 2, 2, 2]
    #expect(schedule.counts == expected)
    let exact = (0..<26).map { (layer: Int) -> Double in
      if layer <= 13 { return 6 - 2 * Double(layer) / 13 }
      return 4 - 2 * Double(layer - 13) / 12
    }
    #expect(abs(exact.reduce(0, +) / 26 - 4.04) < 0.005)
    for (count, value) in zip(schedule.counts, exact) {
      #expect(count == Int(value.rounded(.toNearestOrEven)))
    }
  }

  /// The shapes that the paper names, against rounding in floating point.
  @Test(arguments: [
    (8, 8, 2, 5), (2, 5, 8, 5), (2, 8, 2, 10), (8, 1, 8, 10), (1, 8, 8, 1), (3, 3, 3, 7),
  ])
  func schedulesAreStraightLines(_ first: Int, _ middle: Int, _ last: Int, _ turn: Int) {
    let layerCount = 16
    let schedule = LayerSchedule(
      first: first, middle: middle, last: last, turn: turn, layerCount: layerCount)
    for layer in 0..<layerCount {
      let end = layerCount - 1
      let rising = first * (turn - layer) + middle * layer
      let falling = middle * (end - layer) + last * (layer - turn)
      let value: Double =
        layer <= turn ? Double(rising) / Double(turn) : Double(falling) / Double(end - turn)
      #expect(schedule.counts[layer] == Int(value.rounded(.toNearestOrEven)))
    }
    #expect(schedule.counts[0] == first && schedule.counts[turn] == middle)
    #expect(schedule.counts[layerCount - 1] == last)
  }

  /// HOBBIT (arXiv 2411.01433): gate weights, scores, and what is done about each miss.
  @Test func missesAreJudgedByTheWeightOfBetterExperts() {
    let weights = [0.42, 0.25, 0.15, 0.10, 0.05, 0.03]
    let scores = MissSkipping.scores(weights)
    for (score, expected) in zip(scores, [0, 0.42, 0.67, 0.82, 0.92, 0.97]) {
      #expect(abs(score - expected) < 1e-12)
    }
    #expect(scores.count == 6)
    let actions = scores.map { MissSkipping.MissAction(score: $0) }
    #expect(actions == [.high, .high, .low, .low, .skip, .skip])
  }

  /// The same weights through the router: what is in memory stays, what is not is skipped above
  /// the threshold.
  @Test(arguments: [
    (Set<Int>(), [0, 1, 2, 3]), (Set([0, 1, 2, 3, 4, 5]), [0, 1, 2, 3, 4, 5]),
    (Set([5]), [0, 1, 2, 3, 5]), (Set([4]), [0, 1, 2, 3, 4]), (Set([0, 1]), [0, 1, 2, 3]),
  ])
  func missesAboveTheThresholdAreSkipped(_ residents: Set<Int>, _ expected: [Int]) throws {
    let weights: [Float] = [0.42, 0.25, 0.15, 0.10, 0.05, 0.03]
    let logits = weights.map { Float(log(Double($0))) }
    for renormalizes in [false, true] {
      let routed = try RoutedTokens(
        logits, "miss-skip:0.9", expertsPerToken: 6, renormalizes: renormalizes,
        residents: residents)
      #expect(routed.experts == [expected])
      let kept = expected.map { weights[$0] }
      let sum = renormalizes ? kept.reduce(0, +) : 1
      for (found, weight) in zip(routed.weights[0], kept) {
        #expect(abs(found - weight / sum) < 1e-6)
      }
    }
  }

  /// Cache-Prior (arXiv 2412.00099): logits, residents {2, 3}, J = 1, k = 2, lambda = 0.3.
  @Test func residentsArePreferredByThePrior() throws {
    let logits: [Float] = [2.0, 1.6, 1.5, 0.2, -0.5, -1.0]
    // J is 1 by default where a token takes two experts.
    for text in ["cache-prior:0.3,1", "cache-prior:0.3"] {
      let routed = try RoutedTokens(logits, text, expertsPerToken: 2, residents: [2, 3])
      #expect(routed.experts == [[0, 2]])
      #expect(abs(routed.weights[0][0] - 0.6225) < 5e-5)
      #expect(abs(routed.weights[0][1] - 0.3775) < 5e-5)
    }
    let plain = try RoutedTokens(logits, "off", expertsPerToken: 2)
    let none = try RoutedTokens(logits, "cache-prior:0,1", expertsPerToken: 2, residents: [2, 3])
    #expect(plain.experts == [[0, 1]] && none.experts == plain.experts)
    #expect(none.weightBits == plain.weightBits)
  }

  /// The mean distance runs over the tokens of the sequence, for each layer by itself.
  @Test func thePriorFollowsTheMeanDistanceOfTheSequence() throws {
    // The second of two places is what the prior is about; expert 2 is in memory.
    var gating = try RoutedTokens.gating("cache-prior:0.5,1", expertCount: 3, expertsPerToken: 2)
    func second(_ logits: [Float], layer: Int) throws -> Set<Int> {
      let routed = try RoutedTokens(
        [logits], expertsPerToken: 2, layer: layer, residents: [2], gating: &gating)
      return Set(routed.experts[0])
    }
    // Expert 2 lies 0.9 below expert 1: the prior must be larger than that.
    let logits: [Float] = [4, 1.9, 1.0]
    #expect(try second(logits, layer: 0) == [0, 2], "prior 0.5 * 3")
    #expect(try second([1, 0.9, 0], layer: 0) == [0, 2], "prior 0.5 * (3 + 1) / 2 = 1")
    #expect(try second([1, 0.9, 0], layer: 1) == [0, 1], "prior 0.5 * 1 in another layer")
    #expect(try second([1, 0.9, 0], layer: 0) == [0, 1], "prior 0.5 * 5 / 3 = 0.83")
    gating?.beginSequence()
    #expect(try second([1, 0.2, 0], layer: 0) == [0, 2], "prior 0.5 again: 0.5 > 0.2")
    #expect(try second([1, 0.9, 0], layer: 0) == [0, 1], "forgotten: still 0.5")
  }

  /// M6-T (arXiv 2105.15082): E = 8, Z = 2 takes one expert of 0-3 and one of 4-7.
  @Test func prototypesTakeOneExpertOfEachGroup() throws {
    let logits: [Float] = [1, 5, 2, 0, 4, 4.5, -1, 4.9]
    let routed = try RoutedTokens(
      logits, "prototypes:2", expertsPerToken: 2, renormalizes: false)
    let groups = [Array(logits[..<4]), Array(logits[4...])]
    let best = groups.map { group in
      let sum = group.reduce(0) { $0 + exp(Double($1)) }
      return exp(Double(group.max() ?? 0)) / sum
    }
    #expect(best[0] > best[1])
    #expect(routed.experts == [[1, 7]])
    for (weight, expected) in zip(routed.weights[0], best) {
      #expect(abs(Double(weight) - expected) < 1e-6)
    }
    // One group is top-1.
    let single = try RoutedTokens(logits, "prototypes:1", expertsPerToken: 2, renormalizes: false)
    let top = try RoutedTokens(logits, "top-k:1", expertsPerToken: 2, renormalizes: false)
    #expect(single.experts == [[1]] && single.experts == top.experts)
    #expect(single.weightBits == top.weightBits)
  }
}
