private import MoECore

/// Reads regular expressions as ECMA-262 and Python write them, as far as both mean the same.
///
/// Characters, sets, `.`, groups, alternatives, repetitions, `^` and `$`, the escapes `\d \w \s`
/// and their opposites. What needs more than an automaton (conditions on what follows, references)
/// and what engines don't agree on is refused by name.
struct PatternParser {
  let scalars: [Unicode.Scalar]
  let reading: PatternReading
  let place: GrammarError.Place?
  var index = 0
  private var depth = 0

  static func parse(
    _ text: String, reading: PatternReading, at place: GrammarError.Place?
  ) throws(GrammarError) -> Pattern {
    if text.utf8.count > GrammarLimits.sourceByteCountMax {
      throw GrammarError(
        .limit, "a regular expression is longer than \(GrammarLimits.sourceByteCountMax) bytes",
        at: place)
    }
    var parser = PatternParser(
      scalars: Array(text.unicodeScalars), reading: reading, place: place)
    let pattern = try parser.alternatives()
    if parser.peek != nil { throw parser.error("has a ) without its (") }
    return pattern
  }

  private init(scalars: [Unicode.Scalar], reading: PatternReading, place: GrammarError.Place?) {
    self.scalars = scalars
    self.reading = reading
    self.place = place
  }

  var peek: Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

  func error(
    _ problem: String, _ reason: GrammarError.Reason = .unsupported
  ) -> GrammarError {
    let text = String(String.UnicodeScalarView(scalars)).quotedForMessage
    return GrammarError(reason, "the regular expression \(text) \(problem)", at: place)
  }

  mutating func next() throws(GrammarError) -> Unicode.Scalar {
    guard let scalar = peek else { throw error("ends too early", .syntax) }
    index += 1
    return scalar
  }

  mutating func take(_ text: String) -> Bool {
    let wanted = text.unicodeScalars
    guard scalars[index...].starts(with: wanted) else { return false }
    index += wanted.count
    return true
  }

  private mutating func alternatives() throws(GrammarError) -> Pattern {
    depth += 1
    defer { depth -= 1 }
    if depth > GrammarLimits.nestingMax {
      throw error("is nested more than \(GrammarLimits.nestingMax) deep", .limit)
    }
    var parts = [try sequence()]
    while take("|") { parts.append(try sequence()) }
    return parts.count == 1 ? parts[0] : .choice(parts)
  }

  private mutating func sequence() throws(GrammarError) -> Pattern {
    var parts: [Pattern] = []
    while let scalar = peek, scalar != "|", scalar != ")" {
      let isPosition = scalar == "^" || scalar == "$"
      let part = try atom()
      parts.append(isPosition ? part : try repeated(part))
    }
    return parts.count == 1 ? parts[0] : .sequence(parts)
  }

  private mutating func repeated(_ part: Pattern) throws(GrammarError) -> Pattern {
    guard let counts = try repetition() else { return part }
    // A lazy repetition finds the same texts.
    _ = take("?")
    if take("+") { throw error("has a possessive repetition, which is not supported") }
    if try repetition() != nil { throw error("repeats a repetition", .syntax) }
    return .repetition(part, min: counts.min, max: counts.max)
  }

  private mutating func repetition() throws(GrammarError) -> (min: Int, max: Int?)? {
    if take("*") { return (0, nil) }
    if take("+") { return (1, nil) }
    if take("?") { return (0, 1) }
    guard take("{") else { return nil }
    let min = try count()
    var max: Int? = min
    if take(",") { max = peek == "}" ? nil : try count() }
    guard take("}") else { throw error("has a { that isn't {n}, {n,} or {n,m}; write \\{") }
    if let max, max < min { throw error("repeats from \(min) to \(max) times", .syntax) }
    return (min, max)
  }

  private mutating func count() throws(GrammarError) -> Int {
    var value: Int?
    while let scalar = peek, ("0"..."9").contains(scalar) {
      value = (value ?? 0) * 10 + Int(scalar.value - 0x30)
      if value ?? 0 > GrammarLimits.repetitionCountMax { throw error("repeats too often", .limit) }
      index += 1
    }
    guard let value else { throw error("has a { that isn't {n}, {n,} or {n,m}; write \\{") }
    return value
  }

  private mutating func atom() throws(GrammarError) -> Pattern {
    let scalar = try next()
    switch scalar {
    case "^": return .textStart
    case "$": return .textEnd
    case ".": return .set(reading.anyCharacter)
    case "[": return .set(try set())
    case "(": return try group()
    case "\\": return .set(try escape(inSet: false, reading))
    case "*", "+", "?", "{": throw error("repeats nothing with \(scalar)", .syntax)
    default: return .set(ScalarSet(scalar))
    }
  }

  /// After an opening parenthesis.
  private mutating func group() throws(GrammarError) -> Pattern {
    if take("?:") {
    } else if take("?=") || take("?!") || take("?<=") || take("?<!") {
      throw error("has a condition on what stands before or behind, which is not supported")
    } else if take("?<") {
      while try next() != ">" {}
    } else if take("?") {
      throw error("has a group (?\(peek.map { String($0) } ?? ""), which is not supported")
    }
    let inner = try alternatives()
    guard take(")") else { throw error("has a ( without its )", .syntax) }
    return inner
  }
}
