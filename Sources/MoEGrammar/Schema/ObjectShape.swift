/// The members of an object in their order, and rules for it.
///
/// For each member there are two rules: what may stand from it on where a member has to be written,
/// and what may follow what stands before it. So an object with many optional members takes as many
/// rules, not one for each way to choose from them. Where the number of members is limited, rules
/// also differ by how many were written.
struct ObjectShape {
  struct Member {
    var expression: GrammarExpression
    var isRequired: Bool
  }

  var counts: CountRange
  var place: GrammarError.Place
  var members: [Member] = []
  /// Any further member.
  var freeMember: GrammarExpression?

  private static let countedRuleCountMax = 4096

  init(counts: CountRange, place: GrammarError.Place) {
    self.counts = counts
    self.place = place
  }

  func expression(_ rules: inout JSONRules) throws(GrammarError) -> GrammarExpression {
    let requiredCount = members.count { $0.isRequired }
    if let max = counts.max, max < requiredCount { return .impossible }
    // Names of further members may be the same, so that no more than one is sure to count.
    let sureCount = members.count + (freeMember == nil ? 0 : 1)
    if counts.min > sureCount {
      if freeMember == nil { return .impossible }
      throw GrammarError(
        .unsupported,
        "minProperties is \(counts.min), but members of free names can't be kept from having the "
          + "same name; name \(counts.min - 1) of them in properties", at: place)
    }
    let isLimited = counts.max.map { $0 < members.count || freeMember != nil } ?? false
    let isCounted = counts.min > requiredCount || isLimited
    let cap = isCounted ? max(counts.max ?? 0, counts.min) : 0
    let columnCount = min(cap, members.count) + 1
    if isCounted && (members.count + 1) * columnCount > Self.countedRuleCountMax {
      throw GrammarError(
        .limit, "minProperties or maxProperties with so many properties can't be enforced",
        at: place)
    }
    var from: [GrammarExpression] = []
    var after: [GrammarExpression] = []
    // From the last member to the first; written is at most the number of members before it.
    for index in (0...members.count).reversed() {
      let (nextFrom, nextAfter) = (from, after)
      from = []
      after = []
      for written in 0..<columnCount {
        let next = min(written + 1, columnCount - 1)
        let start = try begin(
          index, written, rules: &rules, nextFrom: nextFrom.isEmpty ? nil : nextFrom[written],
          nextAfter: nextAfter.isEmpty ? nil : nextAfter[next], isCounted)
        from.append(start)
        if index > 0 { after.append(try follow(index, written, start, rules: &rules, isCounted)) }
      }
    }
    let space = try rules.space()
    var forms = [from[0]]
    if requiredCount == 0 && counts.min == 0 { forms.append(.literal("}")) }
    return .sequence([.literal("{"), space, .choice(forms)])
  }

  private func mayWrite(_ written: Int, _ isCounted: Bool) -> Bool {
    !isCounted || counts.max.map { written < $0 } ?? true
  }

  /// A member, this or a later one, and what follows.
  private func begin(
    _ index: Int, _ written: Int, rules: inout JSONRules, nextFrom: GrammarExpression?,
    nextAfter: GrammarExpression?, _ isCounted: Bool
  ) throws(GrammarError) -> GrammarExpression {
    guard index < members.count, let nextFrom, let nextAfter else {
      return try further(written, rules: &rules, isCounted)
    }
    var forms: [GrammarExpression] = []
    if mayWrite(written, isCounted) {
      forms.append(.sequence([members[index].expression, nextAfter]))
    }
    if !members[index].isRequired { forms.append(nextFrom) }
    return try rule(.choice(forms), named: "members from \(index)", &rules)
  }

  /// What may follow the members before one: a comma and more, or the end.
  private func follow(
    _ index: Int, _ written: Int, _ start: GrammarExpression, rules: inout JSONRules,
    _ isCounted: Bool
  ) throws(GrammarError) -> GrammarExpression {
    let space = try rules.space()
    var forms: [GrammarExpression] = [.sequence([.literal(","), space, start])]
    let isEnough = !isCounted || written >= counts.min
    if isEnough && !members[index...].contains(where: \.isRequired) {
      forms.append(.sequence([space, .literal("}")]))
    }
    return try rule(.choice(forms), named: "after members to \(index)", &rules)
  }

  /// One or more further members and the end.
  private func further(
    _ written: Int, rules: inout JSONRules, _ isCounted: Bool
  ) throws(GrammarError) -> GrammarExpression {
    guard let freeMember, mayWrite(written, isCounted), !isCounted || written + 1 >= counts.min
    else { return .impossible }
    let space = try rules.space()
    let repeated = GrammarExpression.repetition(
      .sequence([.literal(","), space, freeMember]), min: 0,
      max: isCounted ? counts.max.map { $0 - written - 1 } : nil)
    return try rule(
      .sequence([freeMember, repeated, space, .literal("}")]), named: "further members", &rules)
  }

  private func rule(
    _ expression: GrammarExpression, named name: String, _ rules: inout JSONRules
  ) throws(GrammarError) -> GrammarExpression {
    let number = try rules.reserve(named: name)
    rules.rules[number].expression = expression
    return .rule(number)
  }
}
