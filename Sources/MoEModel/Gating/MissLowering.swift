/// Answers misses from copies in fewer bits that are all in memory, by HOBBIT's score (arXiv
/// 2411.01433): the share of the token's routing weight that better-ranked experts carry. An expert
/// that is not in memory is waited for where its score is at most `highUpTo`, taken in fewer bits
/// up to `lowUpTo`, and skipped above that. The weights of the others stay what they were.
///
/// The paper's thresholds are 0.6 and 0.9. With -1 for the first nothing is waited for.
package struct MissLowering: Gating {
  private let highUpTo: Double
  private let lowUpTo: Double

  package init(highUpTo: Double, lowUpTo: Double) {
    self.highUpTo = highUpTo
    self.lowUpTo = lowUpTo
  }

  static func parse(_ parameters: GatingParameters) throws(GatingError) -> GatingFactory {
    try parameters.check(count: 1...2, usage: "miss-low:H[,S]")
    let high = try parameters.number(0, "H", in: -1...1)
    let low = parameters.count > 1 ? try parameters.number(1, "S", in: 0...1) : 1
    guard high <= low else { throw GatingError(parameters.text, "H must not be above S") }
    let text = parameters.text
    return { shape throws(GatingError) in
      guard shape.hasLowCopies else {
        throw GatingError(
          text,
          "no copies of the experts in fewer bits are in memory; make some with 'pack "
            + "--low' and load them (--low-resident)")
      }
      return MissLowering(highUpTo: high, lowUpTo: low)
    }
  }

  package var dependsOnResidency: Bool { true }

  package mutating func choose(_ choice: inout ExpertChoice) {
    var (total, sum) = (0.0, 0.0)
    for rank in 0..<choice.count { total += Double(choice.weight(rank)) }
    let plain = choice
    // A bit for each rank that is kept.
    var lowered: UInt64 = 0
    var kept = 0
    choice.keep { rank in
      let action = MissSkipping.MissAction(
        score: sum / total, lowAbove: highUpTo, skipAbove: lowUpTo)
      sum += Double(plain.weight(rank))
      let isMiss = !plain.isResident(plain.expert(rank))
      if isMiss, action == .skip, rank > 0 { return false }
      if isMiss, action != .high { lowered |= 1 << UInt64(kept) }
      kept += 1
      return true
    }
    for rank in 0..<choice.count where lowered >> UInt64(rank) & 1 == 1 { choice.takeLow(rank) }
  }
}
