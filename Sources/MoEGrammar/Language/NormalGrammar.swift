/// A grammar made ready for compiling: some text fits every rule, what is repeated is never
/// nothing, no rule calls itself before it has read something, and of repetitions that are counted
/// none is within another of the same rule.
struct NormalGrammar {
  private(set) var names: [String]
  private(set) var rules: [GrammarExpression]
  let root: Int
  let depthMax: Int
  private(set) var canBeNothing: [Bool]

  private var budget = AnalysisBudget()
  private var canBeSomething: [Bool]
  /// The rule that is the same as another but for being nothing, by the other's number; and, of
  /// those that are not filled in yet, back.
  private var solidRules: [Int: Int] = [:]
  private var solidOrigins: [Int: Int] = [:]

  init(_ grammar: Grammar) throws(GrammarError) {
    let expressions = grammar.rules.map(\.expression)
    let hasText = try RuleFacts.least(expressions, &budget) { $0.hasText($1) }
    guard grammar.rules.indices.contains(grammar.root), hasText[grammar.root] else {
      throw GrammarError(.impossible, "no text fits: every way through the grammar goes on forever")
    }
    names = grammar.rules.map(\.name)
    rules = expressions.map { $0.pruned(hasText) ?? .impossible }
    root = grammar.root
    depthMax = grammar.depthMax
    canBeNothing = try RuleFacts.least(rules, &budget) { $0.canBeNothing($1) }
    canBeSomething = try RuleFacts.least(rules, &budget) { $0.canBeSomething($1) }
    try rewriteAll()
    try refuseLeftRecursion()
  }

  /// Rewrites the rules that the root reaches, and those that this makes.
  private mutating func rewriteAll() throws(GrammarError) {
    var isReached = Set([root])
    var pending = [root]
    while let number = pending.popLast() {
      if let origin = solidOrigins.removeValue(forKey: number) {
        rules[number] = try solid(rules[origin]) ?? .nothing
      }
      let rewritten = try rewritten(rules[number], of: number, isInCounted: false)
      rules[number] = rewritten
      rewritten.forEachRule { if isReached.insert($0).inserted { pending.append($0) } }
    }
    for number in rules.indices where !isReached.contains(number) { rules[number] = .nothing }
  }

  private mutating func rewritten(
    _ expression: GrammarExpression, of rule: Int, isInCounted: Bool
  ) throws(GrammarError) -> GrammarExpression {
    try budget.spend()
    switch expression {
    case .character, .literal, .rule, .automaton: return expression
    case .sequence(let parts):
      var result: [GrammarExpression] = []
      for part in parts {
        result.append(try rewritten(part, of: rule, isInCounted: isInCounted))
      }
      return .sequence(result)
    case .choice(let parts):
      var result: [GrammarExpression] = []
      for part in parts {
        result.append(try rewritten(part, of: rule, isInCounted: isInCounted))
      }
      return .choice(result)
    case .repetition(let part, let min, let max):
      return try rewritten(repetitionOf: part, min, max, of: rule, isInCounted: isInCounted)
    }
  }

  private mutating func rewritten(
    repetitionOf part: GrammarExpression, _ min: Int, _ max: Int?, of rule: Int, isInCounted: Bool
  ) throws(GrammarError) -> GrammarExpression {
    if max == 0 { return .nothing }
    var (part, min) = (part, min)
    var partCountLeft = Self.inlinedPartCountMax
    if max != 1, let inlined = inlined(part, &partCountLeft) { part = inlined }
    if max != 1 && part.canBeNothing(canBeNothing) {
      guard let solid = try solid(part) else { return .nothing }
      (part, min) = (solid, 0)
    }
    if max == 1 {
      let part = try rewritten(part, of: rule, isInCounted: isInCounted)
      return min == 1 ? part : .choice([part, .nothing])
    }
    let isCounted = max != nil || min > 1
    let body = try rewritten(part, of: rule, isInCounted: isInCounted || isCounted)
    let result = GrammarExpression.repetition(body, min: min, max: max)
    if !isCounted || !isInCounted { return result }
    return .rule(try add(result, named: names[rule], canBeNothing: min == 0))
  }

  /// What is repeated with small rules written out, so that no rule is left; nil where that is not
  /// possible. Reading text then calls and leaves no rule for each of its characters.
  private func inlined(
    _ expression: GrammarExpression, _ partCountLeft: inout Int
  ) -> GrammarExpression? {
    partCountLeft -= 1
    if partCountLeft < 0 { return nil }
    func all(_ parts: [GrammarExpression]) -> [GrammarExpression]? {
      var result: [GrammarExpression] = []
      for part in parts {
        guard let inlined = inlined(part, &partCountLeft) else { return nil }
        result.append(inlined)
      }
      return result
    }
    switch expression {
    case .character: return expression
    case .literal(let bytes):
      partCountLeft -= bytes.count
      return expression
    case .automaton(let automaton, _):
      partCountLeft -= automaton.states.count
      return expression
    case .sequence(let parts): return all(parts).map { .sequence($0) }
    case .choice(let parts): return all(parts).map { .choice($0) }
    case .repetition(let part, let min, let max):
      return inlined(part, &partCountLeft).map { .repetition($0, min: min, max: max) }
    case .rule(let number):
      return solidOrigins[number] == nil ? inlined(rules[number], &partCountLeft) : nil
    }
  }

  private static let inlinedPartCountMax = 64

  private mutating func add(
    _ expression: GrammarExpression, named name: String, canBeNothing: Bool
  ) throws(GrammarError) -> Int {
    if rules.count >= 2 * GrammarLimits.ruleCountMax {
      throw GrammarError(
        .limit, "the grammar needs more than \(2 * GrammarLimits.ruleCountMax) rules")
    }
    rules.append(expression)
    names.append(name)
    self.canBeNothing.append(canBeNothing)
    canBeSomething.append(true)
    return rules.count - 1
  }

  /// The same texts but for the empty one; nil where there is no other.
  private mutating func solid(
    _ expression: GrammarExpression
  ) throws(GrammarError) -> GrammarExpression? {
    try budget.spend()
    if !expression.canBeNothing(canBeNothing) { return expression }
    switch expression {
    case .character: return expression
    case .literal: return nil
    case .automaton(let automaton, let encoding):
      let solid = automaton.withoutEmptyText
      return solid.isEmpty ? nil : .automaton(solid, encoding)
    case .rule(let number): return try solid(ruleNumber: number)
    case .repetition(let part, let min, let max):
      guard let solid = try solid(part) else { return nil }
      return .repetition(
        solid, min: part.canBeNothing(canBeNothing) ? 1 : Swift.max(min, 1), max: max)
    case .choice(let parts):
      var result: [GrammarExpression] = []
      for part in parts { if let solid = try solid(part) { result.append(solid) } }
      return result.isEmpty ? nil : .choice(result)
    case .sequence(let parts):
      // All parts can be nothing: the first that isn't, and all behind it as they are.
      var result: [GrammarExpression] = []
      for (index, part) in parts.enumerated() {
        guard let solid = try solid(part) else { continue }
        try budget.spend(parts.count - index)
        result.append(.sequence([solid] + parts[(index + 1)...]))
      }
      return result.isEmpty ? nil : .choice(result)
    }
  }

  private mutating func solid(ruleNumber: Int) throws(GrammarError) -> GrammarExpression? {
    guard canBeSomething[ruleNumber] else { return nil }
    if let known = solidRules[ruleNumber] { return .rule(known) }
    // It is filled in when its turn comes, as rules may name each other in a circle.
    let number = try add(.impossible, named: names[ruleNumber], canBeNothing: false)
    solidRules[ruleNumber] = number
    solidOrigins[number] = ruleNumber
    return .rule(number)
  }

  private func refuseLeftRecursion() throws(GrammarError) {
    guard let circle = LeftCalls.circle(from: root, rules, canBeNothing) else { return }
    let way = circle.prefix(8).map { names[$0] }.joined(separator: " → ")
    throw GrammarError(
      .unsupported,
      "the rule \"\(names[circle[0]])\" calls itself before it has read anything (left recursion: "
        + "\(way)\(circle.count > 8 ? " → …" : "")); write it with a repetition")
  }
}
