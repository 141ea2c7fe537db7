import Foundation
import MoECore
import MoEModel
import MoETestSupport
import Testing

/// The one router against each published family's rule.
@Suite struct RouterTests {
  /// Random logits, bias and scales for a router, with ties in every other draw.
  private struct Draw {
    var logits: [Float]
    var bias: [Float]?
    var scales: [Float]?

    init(_ description: RouterDescription, seed: UInt64) {
      var random = SeededGenerator(seed: seed)
      let spread = [0.5, 2, 6][Int(random.next() % 3)]
      let hasTies = random.next() & 1 == 0
      func values(_ spread: Double, around centre: Double = 0) -> [Float] {
        (0..<description.expertCount).map { _ in
          let value = centre + random.nextGaussian() * spread
          return Float(hasTies ? (value * 4).rounded() / 4 : value)
        }
      }
      logits = values(spread)
      if description.hasSelectionBias { bias = values(0.3) }
      if description.hasExpertScale { scales = values(0.2, around: 1) }
    }

    func naive(_ description: RouterDescription) -> NaiveRouter.Result {
      NaiveRouter(
        description: description, bias: bias.map { $0.map(Double.init) },
        expertScales: scales.map { $0.map(Double.init) }
      ).route(logits.map(Double.init))
    }
  }

  private static var iterations: Int {
    ProcessInfo.processInfo.environment["MOE_FUZZ_ITERATIONS"].flatMap(Int.init) ?? 300
  }

  private func expectRule(_ description: RouterDescription, _ draw: Draw, _ what: String) throws {
    let found = try RoutedTokens(
      [draw.logits], router: description, bias: draw.bias, scales: draw.scales)
    let wanted = draw.naive(description)
    if wanted.isCloseCall { return }
    #expect(found.experts[0] == wanted.experts, "\(what)")
    for (weight, value) in zip(found.weights[0], wanted.weights) {
      #expect(abs(Double(weight) - value) <= 2e-6 * max(1, abs(value)), "\(what)")
    }
  }

  @Test(arguments: RouterFamily.published.indices)
  func fuzzedLogitsAreRoutedByThePublishedRule(_ index: Int) throws {
    let family = RouterFamily.published[index]
    var closeCalls = 0
    for seed in 0..<UInt64(Self.iterations) {
      let draw = Draw(family.description, seed: seed)
      if draw.naive(family.description).isCloseCall { closeCalls += 1 }
      try expectRule(family.description, draw, "\(family.name), seed \(seed)")
    }
    #expect(closeCalls < Self.iterations / 4, "\(family.name)")
  }

  /// Every combination of what a description can say, whether a family has it or not.
  @Test func fuzzedDescriptionsAreRoutedByTheirRule() throws {
    for seed in 0..<UInt64(Self.iterations) {
      var random = SeededGenerator(seed: seed)
      func flip() -> Bool { random.next() & 1 == 0 }
      let groupCount = Int.random(in: 1...8, using: &random)
      let size = Int.random(in: 2...9, using: &random)
      let chosen = Int.random(in: 1...groupCount, using: &random)
      let description = RouterDescription(
        expertCount: groupCount * size,
        expertsPerToken: Int.random(in: 1...chosen * size, using: &random),
        scoring: try #require(RouterScoring.allCases.randomElement(using: &random)),
        hasSelectionBias: flip(),
        groups: flip()
          ? ExpertGroups(
            count: groupCount, chosenCount: chosen, rule: flip() ? .max : .bestTwoSum) : nil,
        renormalizesWeights: flip(), renormalizationEpsilon: flip() ? 0 : 1e-12,
        weightScale: flip() ? 1 : 2.5, hasExpertScale: flip())
      #expect(description.isConsistent)
      try expectRule(
        description, Draw(description, seed: seed &* 7919), "\(description), seed \(seed)")
    }
  }

  @Test(arguments: RouterFamily.published.indices)
  func whatIsNoNumberLeavesDifferentExperts(_ index: Int) throws {
    let description = RouterFamily.published[index].description
    let draw = Draw(description, seed: 3)
    let count = description.expertCount
    let some = draw.logits.enumerated().map { $0 % 3 == 0 ? .nan : $1 }
    for logits in [
      Array(repeating: .nan, count: count), some, Array(repeating: -.infinity, count: count),
      [Float.infinity] + draw.logits.dropFirst(),
    ] {
      let found = try RoutedTokens(
        [logits], router: description, bias: draw.bias, scales: draw.scales)
      #expect(Set(found.experts[0]).count == description.expertsPerToken)
      #expect(found.experts[0].allSatisfy { (0..<count).contains($0) })
    }
  }

  @Test func inconsistentDescriptionsAreNoRouters() {
    func router(_ count: Int, _ perToken: Int, _ groups: (Int, Int, ExpertGroups.Rule)?) -> Bool {
      RouterFamily.router(count, perToken, groups: groups).isConsistent
    }
    #expect(router(8, 8, nil) && router(8, 4, (2, 1, .max)) && router(8, 1, (8, 1, .max)))
    #expect(!router(8, 9, nil) && !router(8, 0, nil))
    #expect(!router(8, 5, (2, 1, .max)) && !router(9, 1, (2, 1, .max)))
    #expect(
      !router(8, 1, (2, 3, .max)) && !router(8, 1, (2, 0, .max)) && !router(8, 1, (0, 0, .max)))
    #expect(!router(8, 1, (8, 1, .bestTwoSum)) && !router(130, 1, (65, 1, .max)))
  }

  // MARK: - Gating

  /// What changes nothing must leave every router's bits.
  @Test(arguments: RouterFamily.published.indices, ["cache-prior:0", "top-p:1", "miss-skip:1"])
  func aGatingThatChangesNothingLeavesTheBits(_ index: Int, _ text: String) throws {
    let description = RouterFamily.published[index].description
    for seed in 0..<50 as Range<UInt64> {
      let draw = Draw(description, seed: seed)
      let plain = try RoutedTokens(
        [draw.logits], router: description, bias: draw.bias, scales: draw.scales)
      let gated = try RoutedTokens(
        [draw.logits], router: description, bias: draw.bias, scales: draw.scales, gating: text)
      #expect(weights(gated) == weights(plain), "seed \(seed)")
    }
  }

  /// (expert): bits of its weight.
  private func weights(_ routed: RoutedTokens) -> [Int: UInt32] {
    Dictionary(uniqueKeysWithValues: zip(routed.experts[0], routed.weightBits[0]))
  }

  /// A share of all sigmoids is a probability: the best experts until they have a quarter of it.
  @Test func cumulativeProbabilityTakesSharesOfSigmoids() throws {
    let description = RouterFamily.router(32, 8, .sigmoid, bias: true, renormalizes: true)
    for seed in 0..<200 as Range<UInt64> {
      let draw = Draw(description, seed: seed)
      let scores = draw.logits.map { 1 / (1 + exp(-Double($0))) }
      let chosen = draw.naive(description).experts.sorted {
        (-scores[$0], $0) < (-scores[$1], $1)
      }
      var (sum, wanted) = (0.0, [Int]())
      for expert in chosen where sum < 0.25 {
        wanted.append(expert)
        sum += scores[expert] / scores.reduce(0, +)
      }
      let found = try RoutedTokens(
        [draw.logits], router: description, bias: draw.bias, gating: "top-p:0.25")
      let isClose = draw.naive(description).isCloseCall || abs(sum - 0.25) < 1e-6
      if isClose { continue }
      #expect(found.experts[0] == wanted, "seed \(seed)")
      let total = wanted.reduce(0) { $0 + scores[$1] }
      for (expert, weight) in zip(wanted, found.weights[0]) {
        #expect(abs(Double(weight) - scores[expert] / total) < 1e-6, "seed \(seed)")
      }
    }
  }

  /// With a strong prior what is in memory is taken, in the order of score and bias.
  @Test func theCachePriorShiftsWhatExpertsAreChosenBy() throws {
    let description = RouterFamily.router(16, 3, .sigmoid, bias: true, renormalizes: true)
    for seed in 0..<200 as Range<UInt64> {
      let draw = Draw(description, seed: seed)
      let residents: Set<Int> = [1, 4, 7, 9, 12]
      let bias = try #require(draw.bias)
      let preferences = zip(draw.logits, bias).map { 1 / (1 + exp(-Double($0))) + Double($1) }
      let order = residents.sorted { (-preferences[$0], $0) < (-preferences[$1], $1) }
      if preferences[order[2]] - preferences[order[3]] < 1e-5 { continue }
      let found = try RoutedTokens(
        [draw.logits], router: description, bias: bias, residents: residents,
        gating: "cache-prior:5,0")
      #expect(Set(found.experts[0]) == Set(order.prefix(3)), "seed \(seed)")
    }
  }
}
