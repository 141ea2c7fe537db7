private import MoECore

/// Reads llama.cpp's notation of grammars, GBNF.
///
/// Rules `name ::= …`, literals, characters and their ranges, `.` for any character, groups,
/// alternatives, `* + ? {n} {n,} {n,m}`, comments. A rule ends with its line, but for groups and
/// around `|`. What newer versions of llama.cpp write for single tokens (`<think>`, `<[1000]>`) is
/// refused: a grammar here is about text.
struct GBNFReader {
  var scalars: GBNFScalars
  private var depth = 0
  private var rules: [Rule] = []
  private var numbers: [String: Int] = [:]

  private struct Rule {
    var name: String
    /// Where it was first named.
    var line: Int
    var expression: GrammarExpression?
  }

  static func grammar(of text: String) throws(GrammarError) -> Grammar {
    if text.utf8.count > GrammarLimits.sourceByteCountMax {
      throw GrammarError(
        .limit, "the grammar is longer than \(GrammarLimits.sourceByteCountMax) bytes")
    }
    var reader = GBNFReader(scalars: GBNFScalars(text))
    reader.scalars.skipSpace(acrossLines: true)
    while !reader.scalars.isAtEnd { try reader.rule() }
    guard let root = reader.numbers["root"], reader.rules[root].expression != nil else {
      throw GrammarError(.syntax, "the grammar has no rule \"root\"; name the whole text so")
    }
    var rules: [Grammar.Rule] = []
    for rule in reader.rules {
      guard let expression = rule.expression else {
        throw GrammarError(
          .syntax, "the rule \"\(rule.name)\" is used but not defined", at: .line(rule.line))
      }
      rules.append(Grammar.Rule(name: rule.name, expression: expression))
    }
    return Grammar(rules: rules, root: root, depthMax: GrammarLimits.depthMax)
  }

  private init(scalars: GBNFScalars) { self.scalars = scalars }

  /// `name ::= alternatives` and the end of its line.
  private mutating func rule() throws(GrammarError) {
    let line = scalars.line
    guard let name = scalars.name() else { throw scalars.error("a rule's name") }
    let number = try self.number(of: name)
    if rules[number].expression != nil {
      throw GrammarError(.syntax, "the rule \"\(name)\" is defined twice", at: .line(line))
    }
    scalars.skipSpace(acrossLines: false)
    guard scalars.take("::=") else { throw scalars.error("::= after the rule's name") }
    scalars.skipSpace(acrossLines: true)
    rules[number].expression = try alternatives(isInGroup: false)
    guard scalars.isAtEnd || scalars.peek == "\n" || scalars.peek == "\r" else {
      throw scalars.error("a part of the rule or the end of its line")
    }
    scalars.skipSpace(acrossLines: true)
  }

  private mutating func number(of name: String) throws(GrammarError) -> Int {
    if let number = numbers[name] { return number }
    if rules.count >= GrammarLimits.ruleCountMax {
      throw GrammarError(
        .limit, "the grammar has more than \(GrammarLimits.ruleCountMax) rules",
        at: .line(scalars.line))
    }
    numbers[name] = rules.count
    rules.append(Rule(name: name, line: scalars.line))
    return rules.count - 1
  }

  private mutating func alternatives(isInGroup: Bool) throws(GrammarError) -> GrammarExpression {
    depth += 1
    defer { depth -= 1 }
    if depth > GrammarLimits.nestingMax {
      throw GrammarError(
        .limit, "groups are nested more than \(GrammarLimits.nestingMax) deep",
        at: .line(scalars.line))
    }
    var parts = [try sequence(isInGroup: isInGroup)]
    while scalars.take("|") || (!isInGroup && scalars.takeBarOfNextLine()) {
      scalars.skipSpace(acrossLines: true)
      parts.append(try sequence(isInGroup: isInGroup))
    }
    return parts.count == 1 ? parts[0] : .choice(parts)
  }

  private mutating func sequence(isInGroup: Bool) throws(GrammarError) -> GrammarExpression {
    var parts: [GrammarExpression] = []
    while let part = try part() {
      parts.append(part)
      scalars.skipSpace(acrossLines: isInGroup)
      var repetitionCount = 0
      while let counts = try repetition() {
        repetitionCount += 1
        if repetitionCount > 2 { throw scalars.error("at most two repetitions of one part") }
        parts.append(.repetition(parts.removeLast(), min: counts.min, max: counts.max))
        scalars.skipSpace(acrossLines: isInGroup)
      }
    }
    return parts.count == 1 ? parts[0] : .sequence(parts)
  }

  private mutating func part() throws(GrammarError) -> GrammarExpression? {
    guard let scalar = scalars.peek else { return nil }
    switch scalar {
    case "\"": return .literal(try scalars.literal())
    case "[": return .character(try scalars.set())
    case ".":
      _ = scalars.take(".")
      return .character(.all)
    case "(":
      _ = scalars.take("(")
      scalars.skipSpace(acrossLines: true)
      let inner = try alternatives(isInGroup: true)
      guard scalars.take(")") else { throw scalars.error("a ) for this group") }
      return inner
    case "<", "!":
      throw GrammarError(
        .unsupported, "tokens by name or number (\(scalar)…) can't be used; write their text",
        at: .line(scalars.line))
    default:
      guard let name = scalars.name() else { return nil }
      return .rule(try number(of: name))
    }
  }

  private mutating func repetition() throws(GrammarError) -> (min: Int, max: Int?)? {
    if scalars.take("*") { return (0, nil) }
    if scalars.take("+") { return (1, nil) }
    if scalars.take("?") { return (0, 1) }
    guard scalars.take("{") else { return nil }
    let min = try count()
    var max: Int? = min
    if scalars.take(",") {
      scalars.skipSpace(acrossLines: false)
      max = scalars.peek == "}" ? nil : try count()
    }
    guard scalars.take("}") else { throw scalars.error("a } after the counts") }
    if let max, max < min { throw scalars.error("counts {n,m} with n not larger than m") }
    return (min, max)
  }

  private mutating func count() throws(GrammarError) -> Int {
    scalars.skipSpace(acrossLines: false)
    var value: Int?
    while let scalar = scalars.peek, ("0"..."9").contains(scalar) {
      value = (value ?? 0) * 10 + Int(scalar.value - 0x30)
      if value ?? 0 > GrammarLimits.repetitionCountMax {
        throw GrammarError(
          .limit, "a count is larger than \(GrammarLimits.repetitionCountMax)",
          at: .line(scalars.line))
      }
      _ = scalars.next()
    }
    guard let value else { throw scalars.error("a count") }
    scalars.skipSpace(acrossLines: false)
    return value
  }
}
