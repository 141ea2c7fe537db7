import Foundation
import MoECore
import MoEModel
import Testing

/// Every gating on random logits, against the rule written once more in the plainest form.
@Suite struct GatingPropertyTests {
  private static let (layerCount, expertCount) = (5, 12)

  /// Settings of every kind, k = 4.
  static let settings = [
    "top-k:1", "top-k:3", "schedule:4,2,1,2", "schedule:1,4,3,1", "top-p:0", "top-p:0.4",
    "top-p:0.8", "threshold:0.2", "threshold:0.7", "threshold:1", "cache-prior:0.2",
    "cache-prior:1,1", "cache-prior:3,4", "miss-skip:0", "miss-skip:0.5", "miss-skip:0.8",
    "miss-low:-1", "miss-low:0.5", "miss-low:0,0.5", "miss-low:0.4,0.8", "prototypes:1",
    "prototypes:4",
  ]

  @Test func everyKindIsTried() {
    let names = Set(Self.settings.map { $0.prefix { $0 != ":" } }.map(String.init))
    #expect(names == Set(GatingRegistry.all.map(\.name)))
    #expect(Set(GatingRegistry.all.map(\.name)).count == GatingRegistry.all.count)
    for entry in GatingRegistry.all { #expect(entry.usage.hasPrefix(entry.name + ":")) }
  }

  private struct Draw {
    var logits: [Float]
    var residents: Set<Int>
    var layer: Int

    init(_ random: inout SeededGenerator) {
      let spread = Float([0.3, 1, 4].randomElement(using: &random) ?? 1)
      logits = (0..<expertCount).map { _ in Float.random(in: -1...1, using: &random) * spread }
      if random.next() % 4 == 0 {
        // Ties are decided by the expert's number.
        logits = logits.map { ($0 * 2).rounded() / 2 }
      }
      residents = Set((0..<expertCount).filter { _ in random.next() & 1 == 0 })
      layer = Int.random(in: 0..<layerCount, using: &random)
    }
  }

  @Test(arguments: settings, [false, true])
  func choosesAsThePlainRuleDoes(_ text: String, renormalizes: Bool) throws {
    for seed in 0..<200 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let draw = Draw(&random)
      let found = try RoutedTokens(
        draw.logits, text, expertsPerToken: 4, renormalizes: renormalizes, layer: draw.layer,
        layerCount: Self.layerCount, residents: draw.residents)
      let expected = naive(text, draw, expertsPerToken: 4)
      guard !expected.isCloseCall else { continue }
      #expect(found.experts[0] == expected.experts, "\(text), seed \(seed)")
      #expect(
        found.isLow[0] == expected.experts.map(expected.lowered.contains), "\(text), seed \(seed)")
      let sum = renormalizes ? expected.weights.reduce(0, +) : 1
      for (weight, wanted) in zip(found.weights[0], expected.weights) {
        #expect(abs(Double(weight) - wanted / sum) < 1e-5, "\(text), seed \(seed)")
      }
    }
  }

  private struct Choice {
    var experts: [Int]
    var weights: [Double]
    /// Experts of which copies in fewer bits are taken.
    var lowered: Set<Int> = []
    /// Whether rounding may decide.
    var isCloseCall = false
  }

  private func softmax(_ logits: [Double]) -> [Double] {
    let largest = logits.max() ?? 0
    let powers = logits.map { exp($0 - largest) }
    return powers.map { $0 / powers.reduce(0, +) }
  }

  /// The first `count` experts by a score, and the gap to the next one.
  private func best(_ scores: [Double], _ count: Int) -> (experts: [Int], gap: Double) {
    let order = scores.indices.sorted { (-scores[$0], $0) < (-scores[$1], $1) }
    let gap =
      count < order.count ? scores[order[count - 1]] - scores[order[count]] : .infinity
    return (Array(order[..<count]), gap)
  }

  private func naive(_ text: String, _ draw: Draw, expertsPerToken k: Int) -> Choice {
    let logits = draw.logits.map(Double.init)
    let probabilities = softmax(logits)
    let own = best(logits, k).experts
    let parts = text.split(separator: ":")
    let numbers = parts[1].split(separator: ",").compactMap { Double($0) }
    func first(_ count: Int, isCloseCall: Bool = false) -> Choice {
      let experts = Array(own[..<count])
      return Choice(
        experts: experts, weights: experts.map { probabilities[$0] }, isCloseCall: isCloseCall)
    }
    switch parts[0] {
    case "top-k": return first(Int(numbers[0]))
    case "schedule":
      let (turn, last) = (numbers[3], Double(Self.layerCount - 1))
      let layer = Double(draw.layer)
      let count =
        layer <= turn
        ? numbers[0] + (numbers[1] - numbers[0]) * layer / turn
        : numbers[1] + (numbers[2] - numbers[1]) * (layer - turn) / (last - turn)
      return first(Int(count.rounded(.toNearestOrEven)))
    case "top-p":
      let sums = (1...k).map { own[..<$0].reduce(0) { $0 + probabilities[$1] } }
      let count = (sums.firstIndex { $0 >= numbers[0] } ?? k - 1) + 1
      return first(count, isCloseCall: sums.contains { abs($0 - numbers[0]) < 1e-6 })
    case "threshold":
      let ratios = own.map { probabilities[$0] / probabilities[own[0]] }
      // Equals are exactly equal: only others can be a close call.
      let isClose = ratios.contains { $0 != 1 && abs($0 - numbers[0]) < 1e-6 }
      return first(ratios.count { $0 >= numbers[0] }, isCloseCall: isClose)
    case "cache-prior": return prior(numbers, draw, probabilities, own, k)
    case "miss-skip":
      let total = own.reduce(0) { $0 + probabilities[$1] }
      var (sum, experts, isClose) = (0.0, [Int](), false)
      for expert in own {
        if sum / total <= numbers[0] || draw.residents.contains(expert) { experts.append(expert) }
        isClose = isClose || (sum > 0 && abs(sum / total - numbers[0]) < 1e-6)
        sum += probabilities[expert]
      }
      return Choice(
        experts: experts, weights: experts.map { probabilities[$0] }, isCloseCall: isClose)
    case "miss-low": return lowering(numbers, draw, probabilities, own)
    default:
      let size = logits.count / Int(numbers[0])
      let chosen = (0..<Int(numbers[0])).map { group -> (expert: Int, weight: Double) in
        let members = Array(logits[group * size..<(group + 1) * size])
        let place = best(members, 1).experts[0]
        return (group * size + place, softmax(members)[place])
      }
      let order = chosen.sorted { (-$0.weight, $0.expert) < (-$1.weight, $1.expert) }
      let weights = order.map(\.weight)
      // Groups with the same logits weigh the same, but for the order of summing.
      let isClose = zip(weights, weights.dropFirst()).contains { abs($0 - $1) < 1e-6 }
      return Choice(experts: order.map(\.expert), weights: weights, isCloseCall: isClose)
    }
  }

  private func lowering(
    _ numbers: [Double], _ draw: Draw, _ probabilities: [Double], _ own: [Int]
  ) -> Choice {
    let total = own.reduce(0) { $0 + probabilities[$1] }
    var (sum, choice) = (0.0, Choice(experts: [], weights: []))
    for (rank, expert) in own.enumerated() {
      let score = sum / total
      sum += probabilities[expert]
      let bounds = [numbers[0], numbers.count > 1 ? numbers[1] : 1]
      if rank > 0, bounds.contains(where: { abs(score - $0) < 1e-6 }) {
        choice.isCloseCall = true
      }
      if !draw.residents.contains(expert), score > bounds[0] {
        if score > bounds[1] && rank > 0 { continue }
        choice.lowered.insert(expert)
      }
      choice.experts.append(expert)
      choice.weights.append(probabilities[expert])
    }
    return choice
  }

  private func prior(
    _ numbers: [Double], _ draw: Draw, _ probabilities: [Double], _ own: [Int], _ k: Int
  ) -> Choice {
    let logits = draw.logits.map(Double.init)
    let distance = (logits.max() ?? 0) - (logits.min() ?? 0)
    let top = Set(own.prefix(numbers.count > 1 ? Int(numbers[1]) : 2))
    let scores = logits.indices.map { expert in
      top.contains(expert) || draw.residents.contains(expert)
        ? logits[expert] + numbers[0] * distance : logits[expert]
    }
    let chosen = best(scores, k)
    let experts = chosen.experts.sorted { (-logits[$0], $0) < (-logits[$1], $1) }
    return Choice(
      experts: experts, weights: experts.map { probabilities[$0] },
      isCloseCall: chosen.gap < 1e-5)
  }

  /// What takes nothing away is the model's own choice, bit for bit.
  @Test(
    arguments: [
      "top-k:4", "schedule:4,4,4,2", "top-p:1", "threshold:0", "cache-prior:0", "cache-prior:0,4",
      "miss-skip:1", "miss-low:1",
    ], [false, true])
  func neutralSettingsChangeNoBit(_ text: String, renormalizes: Bool) throws {
    for seed in 0..<100 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let draw = Draw(&random)
      let plain = try RoutedTokens(
        draw.logits, "off", expertsPerToken: 4, renormalizes: renormalizes)
      let found = try RoutedTokens(
        draw.logits, text, expertsPerToken: 4, renormalizes: renormalizes, layer: draw.layer,
        layerCount: Self.layerCount, residents: draw.residents)
      #expect(found.experts == plain.experts, "seed \(seed)")
      #expect(found.weightBits == plain.weightBits, "seed \(seed)")
    }
  }

  /// With all experts in memory, cache-aware gatings have nothing to prefer.
  @Test(arguments: ["cache-prior:2", "miss-skip:0", "miss-low:-1"])
  func residentExpertsAreChosenAsTheModelDoes(_ text: String) throws {
    for seed in 0..<50 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let draw = Draw(&random)
      let plain = try RoutedTokens(draw.logits, "off", expertsPerToken: 4)
      let found = try RoutedTokens(
        draw.logits, text, expertsPerToken: 4, residents: Set(0..<Self.expertCount))
      #expect(found.experts == plain.experts, "seed \(seed)")
      #expect(found.weightBits == plain.weightBits, "seed \(seed)")
    }
  }

  /// Logits that are no numbers: experts still differ, and nothing traps.
  @Test(arguments: settings)
  func whatIsNoNumberLeavesADistinctChoice(_ text: String) throws {
    let values: [Float] = [.nan, .infinity, -.infinity, 0, 1, .greatestFiniteMagnitude, -1e38]
    for seed in 0..<100 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let logits = (0..<Self.expertCount).map { _ in
        values.randomElement(using: &random) ?? 0
      }
      let found = try RoutedTokens(
        logits, text, expertsPerToken: 4, layerCount: Self.layerCount, residents: [1, 5])
      let experts = found.experts[0]
      #expect((1...4).contains(experts.count), "seed \(seed)")
      #expect(Set(experts).count == experts.count, "seed \(seed)")
      #expect(experts.allSatisfy { (0..<Self.expertCount).contains($0) }, "seed \(seed)")
    }
  }
}
