/// Which bytes can stand first in a rule's text, and which right behind it.
///
/// A token that ends a rule in its middle needs a look at what called the rule only if its next
/// byte can stand there. The sets may be too large, never too small.
struct FollowingBytes {
  private(set) var first: [ByteSet]
  private(set) var following: [ByteSet]
  private let rules: [GrammarExpression]
  private let canBeNothing: [Bool]
  /// (caller, callee) where the callee's text can end the caller's.
  private var endings: [(Int32, Int32)] = []

  init(_ grammar: NormalGrammar) throws(GrammarError) {
    rules = grammar.rules
    canBeNothing = grammar.canBeNothing
    first = Array(repeating: ByteSet(), count: rules.count)
    following = first
    var budget = AnalysisBudget()
    try findFirst(&budget)
    for (index, rule) in rules.enumerated() {
      try visit(rule, before: ByteSet(), isLast: true, of: index, &budget)
    }
    try spread(&budget)
  }

  private mutating func findFirst(_ budget: inout AnalysisBudget) throws(GrammarError) {
    var users: [[Int32]] = Array(repeating: [], count: rules.count)
    for (index, rule) in rules.enumerated() {
      rule.forEachRule { users[$0].append(Int32(index)) }
    }
    let sizes = rules.map(\.partCount)
    var isPending = Array(repeating: true, count: rules.count)
    var pending = Array(rules.indices)
    while let index = pending.popLast() {
      isPending[index] = false
      try budget.spend(sizes[index])
      guard first[index].formUnion(firstBytes(of: rules[index])) else { continue }
      for user in users[index] where !isPending[Int(user)] {
        isPending[Int(user)] = true
        pending.append(Int(user))
      }
    }
  }

  private func firstBytes(of expression: GrammarExpression) -> ByteSet {
    switch expression {
    case .character(let set): return Self.leads(set)
    case .literal(let bytes): return ByteSet(bytes.prefix(1).map { $0...$0 })
    case .rule(let number): return first[number]
    case .repetition(let part, _, _): return firstBytes(of: part)
    case .automaton(let automaton, let encoding):
      let transitions = automaton.states.first?.transitions ?? []
      var bytes = Self.leads(ScalarSet(transitions.map { $0.first...$0.last }))
      if encoding != .plain { bytes.insert(UInt8(ascii: "\\")) }
      return bytes
    case .choice(let parts):
      var bytes = ByteSet()
      for part in parts { _ = bytes.formUnion(firstBytes(of: part)) }
      return bytes
    case .sequence(let parts):
      var bytes = ByteSet()
      for part in parts {
        _ = bytes.formUnion(firstBytes(of: part))
        if !part.canBeNothing(canBeNothing) { break }
      }
      return bytes
    }
  }

  private static func leads(_ set: ScalarSet) -> ByteSet {
    ByteSet(ScalarBytes.utf8(set).flatMap { $0[0] })
  }

  /// - Parameters:
  ///   - bytes: What can stand behind the expression within its rule.
  ///   - isLast: Whether the rule can end behind it.
  private mutating func visit(
    _ expression: GrammarExpression, before bytes: ByteSet, isLast: Bool, of rule: Int,
    _ budget: inout AnalysisBudget
  ) throws(GrammarError) {
    try budget.spend()
    switch expression {
    case .character, .literal, .automaton: break
    case .rule(let number):
      _ = following[number].formUnion(bytes)
      if isLast { endings.append((Int32(rule), Int32(number))) }
    case .choice(let parts):
      for part in parts { try visit(part, before: bytes, isLast: isLast, of: rule, &budget) }
    case .repetition(let part, _, _):
      var behind = bytes
      _ = behind.formUnion(firstBytes(of: part))
      try visit(part, before: behind, isLast: isLast, of: rule, &budget)
    case .sequence(let parts):
      var (behind, isLast) = (bytes, isLast)
      for part in parts.reversed() {
        try visit(part, before: behind, isLast: isLast, of: rule, &budget)
        var own = firstBytes(of: part)
        if part.canBeNothing(canBeNothing) {
          _ = own.formUnion(behind)
        } else {
          isLast = false
        }
        behind = own
      }
    }
  }

  /// What stands behind a caller stands behind what ends it.
  private mutating func spread(_ budget: inout AnalysisBudget) throws(GrammarError) {
    var callees: [[Int32]] = Array(repeating: [], count: rules.count)
    for (caller, callee) in endings { callees[Int(caller)].append(callee) }
    var pending = Array(rules.indices)
    while let caller = pending.popLast() {
      try budget.spend(callees[caller].count + 1)
      for callee in callees[caller]
      where following[Int(callee)].formUnion(following[caller]) && Int(callee) != caller {
        pending.append(Int(callee))
      }
    }
  }
}
