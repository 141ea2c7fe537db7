/// What holds for rules: found by trying until nothing changes any more.
enum RuleFacts {
  /// For which rules `holds` is true, where a rule's answer depends on those of the rules it names
  /// and none ever turns false again.
  static func least(
    _ rules: [GrammarExpression], _ budget: inout AnalysisBudget,
    holds: (GrammarExpression, [Bool]) -> Bool
  ) throws(GrammarError) -> [Bool] {
    var users: [[Int32]] = Array(repeating: [], count: rules.count)
    for (index, rule) in rules.enumerated() {
      rule.forEachRule { users[$0].append(Int32(index)) }
    }
    let sizes = rules.map(\.partCount)
    var facts = Array(repeating: false, count: rules.count)
    var pending = Array(rules.indices.reversed())
    while let index = pending.popLast() {
      if facts[index] { continue }
      try budget.spend(sizes[index])
      if holds(rules[index], facts) {
        facts[index] = true
        for user in users[index] where !facts[Int(user)] { pending.append(Int(user)) }
      }
    }
    return facts
  }
}

/// What the analyses of a grammar may still cost.
struct AnalysisBudget {
  private var stepCount = 0

  mutating func spend(_ count: Int = 1) throws(GrammarError) {
    stepCount += count
    if stepCount > GrammarLimits.analysisStepCountMax {
      throw GrammarError(
        .limit,
        "the grammar takes more than \(GrammarLimits.analysisStepCountMax) steps to analyse; "
          + "make it smaller")
    }
  }
}
