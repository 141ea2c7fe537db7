internal import MoECore

/// Strings and numbers.
extension SchemaCompiler {
  mutating func automaton(
    of pattern: String, _ reading: PatternReading
  ) throws(GrammarError) -> ScalarAutomaton {
    let key = (reading == .narrow ? "narrow " : "wide ") + pattern
    if let known = automata[key] { return known }
    let automaton = try PatternAutomaton.automaton(of: pattern, reading: reading, &budget)
    automata[key] = automaton
    return automaton
  }

  /// Strings of the joined lengths, patterns and formats.
  mutating func string(_ joined: JoinedKeywords) throws(GrammarError) -> GrammarExpression {
    guard let lengths = joined.lengths else { return .impossible }
    let patterns = joined.allPatterns
    if patterns.isEmpty { return try rules.string(lengths) }
    let limit = lengths.max.map { "\($0)" } ?? ""
    let name = "string{\(lengths.min),\(limit)} " + patterns.joined(separator: " and ")
    var automaton = ScalarAutomaton.all
    for pattern in patterns {
      let next = try self.automaton(of: pattern, .narrow)
      automaton = try automaton.intersection(next, &budget)
    }
    var budget = budget
    let expression = try rules.rule(named: name) { _ throws(GrammarError) in
      guard let content = try Self.content(automaton, lengths, &budget) else { return .impossible }
      return JSONRules.quoted(content)
    }
    self.budget = budget
    return expression
  }

  /// Nil where nothing fits.
  private static func content(
    _ automaton: ScalarAutomaton, _ lengths: CountRange, _ budget: inout AutomatonBudget
  ) throws(GrammarError) -> GrammarExpression? {
    if let repetition = automaton.asRepetition {
      guard let counts = repetition.counts.intersection(lengths) else { return nil }
      let character = GrammarExpression.automaton(
        ScalarAutomaton(character: repetition.characters),
        repetition.characters == .all ? .freeString : .constrainedString)
      return .repetition(character, min: counts.min, max: counts.max)
    }
    return .automaton(try automaton.limited(to: lengths, &budget), .constrainedString)
  }

  mutating func number(
    in range: NumberRange, isWhole: Bool
  ) throws(GrammarError) -> GrammarExpression {
    if range.isEmpty { return .impossible }
    let zero = NumberRange.Bound(value: .zero, isIncluded: true)
    var result: [GrammarExpression] = []
    if range.upper.map({ !$0.value.isNegative }) ?? true {
      var positive = range
      positive.raiseLower(to: zero)
      if !positive.isEmpty { result.append(try unsigned(positive, isWhole: isWhole)) }
    }
    // Zero is written with a sign only where numbers below it are.
    if range.lower.map({ $0.value.isNegative }) ?? true {
      var mirrored = NumberRange(
        lower: range.upper.map { .init(value: $0.value.negated, isIncluded: $0.isIncluded) },
        upper: range.lower.map { .init(value: $0.value.negated, isIncluded: $0.isIncluded) })
      mirrored.raiseLower(to: zero)
      if !mirrored.isEmpty {
        result.append(.sequence([.literal("-"), try unsigned(mirrored, isWhole: isWhole)]))
      }
    }
    return .choice(result)
  }

  /// Numbers of a range from zero on.
  private mutating func unsigned(
    _ range: NumberRange, isWhole: Bool
  ) throws(GrammarError) -> GrammarExpression {
    if range.upper == nil, let lower = range.lower, lower.value == .zero, lower.isIncluded {
      return isWhole ? try rules.wholeNumber() : try rules.unsignedNumber()
    }
    let name = "\(isWhole ? "whole number" : "number") \(range)"
    var budget = budget
    let expression = try rules.rule(named: name) { _ throws(GrammarError) in
      let automaton = try NumberAutomaton.automaton(range, isWhole: isWhole, &budget)
      return .automaton(automaton, .plain)
    }
    self.budget = budget
    return expression
  }
}
