/// A part of a grammar: what a piece of text may be.
package indirect enum GrammarExpression: Sendable {
  /// One character of a set, in UTF-8.
  case character(ScalarSet)
  /// These bytes; without any, nothing at all.
  case literal([UInt8])
  /// One after the other.
  case sequence([GrammarExpression])
  /// One of them; without any, nothing fits.
  case choice([GrammarExpression])
  /// As often as from `min` to `max` times, without a limit if that is nil.
  case repetition(GrammarExpression, min: Int, max: Int?)
  /// What another rule of the grammar says, by its number.
  case rule(Int)
  /// A text that an automaton accepts.
  case automaton(ScalarAutomaton, TextEncoding)

  package static func literal(_ text: String) -> GrammarExpression { .literal(Array(text.utf8)) }

  package static func optional(_ part: GrammarExpression) -> GrammarExpression {
    .repetition(part, min: 0, max: 1)
  }

  static let nothing = GrammarExpression.literal([])
  static let impossible = GrammarExpression.choice([])
}

/// How the characters of a text are written.
package enum TextEncoding: Sendable {
  /// As they are, in UTF-8.
  case plain
  /// As within a JSON string whose text is constrained: with escapes, needless ones left out.
  case constrainedString
  /// As within any JSON string.
  case freeString
}

extension GrammarExpression {
  /// How many parts it has, itself included.
  var partCount: Int {
    switch self {
    case .character, .literal, .rule, .automaton: 1
    case .sequence(let parts), .choice(let parts): parts.reduce(1) { $0 + $1.partCount }
    case .repetition(let part, _, _): 1 + part.partCount
    }
  }

  /// Calls the closure with each rule that it names, as often as it does.
  func forEachRule(_ visit: (Int) -> Void) {
    switch self {
    case .character, .literal, .automaton: break
    case .rule(let number): visit(number)
    case .sequence(let parts), .choice(let parts): for part in parts { part.forEachRule(visit) }
    case .repetition(let part, _, _): part.forEachRule(visit)
    }
  }

  /// Whether it can be nothing, if the rules that it names can as told.
  func canBeNothing(_ rules: [Bool]) -> Bool {
    switch self {
    case .character: false
    case .literal(let bytes): bytes.isEmpty
    case .sequence(let parts): parts.allSatisfy { $0.canBeNothing(rules) }
    case .choice(let parts): parts.contains { $0.canBeNothing(rules) }
    case .repetition(let part, let min, _): min == 0 || part.canBeNothing(rules)
    case .rule(let number): rules[number]
    case .automaton(let automaton, _): automaton.states.first?.isAccepting ?? false
    }
  }

  /// Whether it can be something, if the rules that it names can as told. Every part has some text.
  func canBeSomething(_ rules: [Bool]) -> Bool {
    switch self {
    case .character: true
    case .literal(let bytes): !bytes.isEmpty
    case .sequence(let parts), .choice(let parts): parts.contains { $0.canBeSomething(rules) }
    case .repetition(let part, _, let max): max != 0 && part.canBeSomething(rules)
    case .rule(let number): rules[number]
    case .automaton(let automaton, _): !automaton.withoutEmptyText.isEmpty
    }
  }

  /// Whether some text fits, if some fits the rules that it names as told.
  func hasText(_ rules: [Bool]) -> Bool {
    switch self {
    case .character(let set): !set.isEmpty
    case .literal: true
    case .sequence(let parts): parts.allSatisfy { $0.hasText(rules) }
    case .choice(let parts): parts.contains { $0.hasText(rules) }
    case .repetition(let part, let min, _): min == 0 || part.hasText(rules)
    case .rule(let number): rules[number]
    case .automaton(let automaton, _): !automaton.isEmpty
    }
  }

  /// The same without what no text fits; nil where nothing is left.
  func pruned(_ rules: [Bool]) -> GrammarExpression? {
    switch self {
    case .character, .literal, .rule, .automaton: return hasText(rules) ? self : nil
    case .sequence(let parts):
      let kept = parts.compactMap { $0.pruned(rules) }
      return kept.count == parts.count ? .sequence(kept) : nil
    case .choice(let parts):
      let kept = parts.compactMap { $0.pruned(rules) }
      return kept.isEmpty ? nil : kept.count == 1 ? kept[0] : .choice(kept)
    case .repetition(let part, let min, let max):
      guard let kept = part.pruned(rules) else { return min == 0 ? .nothing : nil }
      return .repetition(kept, min: min, max: max)
    }
  }
}
