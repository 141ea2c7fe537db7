/// Rules of JSON itself, made when they are first used.
struct JSONRules {
  var rules: [Grammar.Rule] = []
  private var numbers: [String: Int] = [:]

  /// Levels of indentation are at most so many, of two spaces or a tab.
  private static let indentationMax = GrammarLimits.valueDepthMax

  /// The number of a rule of that name; a new one gets its expression from the closure, which may
  /// name the rule itself.
  mutating func rule(
    named name: String, _ expression: (inout JSONRules) throws(GrammarError) -> GrammarExpression
  ) throws(GrammarError) -> GrammarExpression {
    if let known = numbers[name] { return .rule(known) }
    let number = try reserve(named: name)
    numbers[name] = number
    rules[number].expression = try expression(&self)
    return .rule(number)
  }

  /// A rule whose expression follows.
  mutating func reserve(named name: String) throws(GrammarError) -> Int {
    if rules.count >= GrammarLimits.ruleCountMax {
      throw GrammarError(
        .limit, "the schema needs more than \(GrammarLimits.ruleCountMax) rules; make it smaller")
    }
    rules.append(Grammar.Rule(name: name, expression: .impossible))
    return rules.count - 1
  }

  /// Between brackets and what they hold, and behind commas: nothing, a space, or a line break and
  /// indentation.
  mutating func space() throws(GrammarError) -> GrammarExpression {
    try rule(named: "space") { _ throws(GrammarError) in
      let spaces = GrammarExpression.repetition(
        .literal(" "), min: 0, max: 2 * Self.indentationMax)
      let tabs = GrammarExpression.repetition(.literal("\t"), min: 1, max: Self.indentationMax)
      return .choice([
        .nothing, .literal(" "), .sequence([.literal("\n"), .choice([spaces, tabs])]),
      ])
    }
  }

  /// Behind the colon.
  static let colon = GrammarExpression.sequence([.literal(":"), .optional(.literal(" "))])

  /// A string of so many characters.
  mutating func string(_ counts: CountRange) throws(GrammarError) -> GrammarExpression {
    let limit = counts.max.map { "\($0)" } ?? ""
    return try rule(named: "string{\(counts.min),\(limit)}") { _ throws(GrammarError) in
      let character = GrammarExpression.automaton(
        ScalarAutomaton(character: .all), .freeString)
      return Self.quoted(.repetition(character, min: counts.min, max: counts.max))
    }
  }

  static func quoted(_ content: GrammarExpression) -> GrammarExpression {
    .sequence([.literal("\""), content, .literal("\"")])
  }

  /// A whole number without its sign.
  mutating func wholeNumber() throws(GrammarError) -> GrammarExpression {
    try rule(named: "whole number") { _ throws(GrammarError) in
      .choice([
        .literal("0"),
        .sequence([
          .character(ScalarSet([0x31...0x39])),
          .repetition(Self.digit, min: 0, max: NumberAutomaton.digitCountMax - 1),
        ]),
      ])
    }
  }

  /// A number without its sign, small enough to be finite in double precision.
  mutating func unsignedNumber() throws(GrammarError) -> GrammarExpression {
    let whole = try wholeNumber()
    return try rule(named: "number") { _ throws(GrammarError) in
      let fraction = GrammarExpression.sequence([
        .literal("."), .repetition(Self.digit, min: 1, max: NumberAutomaton.digitCountMax),
      ])
      // 0 to 250, with zeros in front up to three digits.
      let exponent = GrammarExpression.choice([
        .sequence([.optional(.character(ScalarSet("01"))), .optional(Self.digit), Self.digit]),
        .sequence([.literal("2"), .character(ScalarSet("01234")), Self.digit]),
        .literal("250"),
      ])
      return .sequence([
        whole, .optional(fraction),
        .optional(
          .sequence([.character(ScalarSet("eE")), .optional(.character(ScalarSet("+-"))), exponent])
        ),
      ])
    }
  }

  static let digit = GrammarExpression.character(ScalarSet([0x30...0x39]))

  mutating func anyArray() throws(GrammarError) -> GrammarExpression {
    try rule(named: "array") { rules throws(GrammarError) in
      let value = try rules.anyValue()
      return try rules.list("[", of: value, "]", CountRange())
    }
  }

  mutating func anyObject() throws(GrammarError) -> GrammarExpression {
    try rule(named: "object") { rules throws(GrammarError) in
      let member = GrammarExpression.sequence([
        try rules.string(CountRange()), Self.colon, try rules.anyValue(),
      ])
      return try rules.list("{", of: member, "}", CountRange())
    }
  }

  mutating func anyValue() throws(GrammarError) -> GrammarExpression {
    try rule(named: "value") { rules throws(GrammarError) in
      .choice([
        .literal("null"), .literal("true"), .literal("false"),
        .sequence([.optional(.literal("-")), try rules.unsignedNumber()]),
        try rules.string(CountRange()), try rules.anyArray(), try rules.anyObject(),
      ])
    }
  }

  /// So many parts between brackets, with commas.
  mutating func list(
    _ opening: String, of part: GrammarExpression, _ closing: String, _ counts: CountRange
  ) throws(GrammarError) -> GrammarExpression {
    let space = try space()
    var forms: [GrammarExpression] = []
    if counts.min == 0 { forms.append(.literal(closing)) }
    if counts.max != 0 {
      let further = GrammarExpression.repetition(
        .sequence([.literal(","), space, part]), min: Swift.max(counts.min - 1, 0),
        max: counts.max.map { $0 - 1 })
      forms.append(.sequence([part, further, space, .literal(closing)]))
    }
    return .sequence([.literal(opening), space, .choice(forms)])
  }
}
