/// What becomes of a miss, by HOBBIT's score (arXiv 2411.01433): the share of the token's routing
/// weight that better-ranked experts carry. An expert that is not in memory is skipped where it is
/// above a threshold, 0.9 in the paper. The weights of the others stay what they were.
///
/// The paper takes a copy in fewer bits between 0.6 and the threshold (`MissLowering`); here such
/// an expert is loaded as it is.
package struct MissSkipping: Gating {
  /// What HOBBIT does about an expert that is not in memory.
  package enum MissAction: Sendable, Equatable {
    case high, low, skip

    /// - Parameter score: Weight of the better-ranked experts, over that of all chosen ones.
    package init(score: Double, lowAbove: Double = 0.6, skipAbove: Double = 0.9) {
      self = score <= lowAbove ? .high : score <= skipAbove ? .low : .skip
    }
  }

  private let threshold: Double

  package init(threshold: Double) { self.threshold = threshold }

  static func parse(_ parameters: GatingParameters) throws(GatingError) -> GatingFactory {
    try parameters.check(count: 1...1, usage: "miss-skip:T")
    let threshold = try parameters.number(0, "T", in: 0...1)
    return { _ throws(GatingError) in MissSkipping(threshold: threshold) }
  }

  package var dependsOnResidency: Bool { true }

  /// (rank): the weight of the better-ranked experts, over that of all chosen ones.
  package static func scores(_ weights: [Double]) -> [Double] {
    let total = weights.reduce(0, +)
    var sum = 0.0
    return weights.map { weight in
      defer { sum += weight }
      return sum / total
    }
  }

  package mutating func choose(_ choice: inout ExpertChoice) {
    var (total, sum) = (0.0, 0.0)
    for rank in 0..<choice.count { total += Double(choice.weight(rank)) }
    let plain = choice
    choice.keep { rank in
      let score = sum / total
      sum += Double(plain.weight(rank))
      return MissAction(score: score, lowAbove: min(0.6, threshold), skipAbove: threshold) != .skip
        || plain.isResident(plain.expert(rank))
    }
  }
}
