/// Reads the notation of regular expressions as far as published pre-tokenizers use it, with the
/// meaning that Oniguruma gives it, which is the engine they were made with.
///
/// Groups, alternatives, sets with ranges, `&&` and properties, repetitions of all three kinds,
/// conditions on what follows, positions. Where cases are ignored, ASCII's are: so `(?i:'s)` takes
/// no long s, as in llama.cpp. What else is written is refused by name.
struct ExpressionParser {
  private let scalars: [Unicode.Scalar]
  private var index = 0
  private var depth = 0
  private var ignoresCase = false

  private static let depthMax = 32
  private static let countMax = 1000

  static func parse(_ text: String) throws(ExpressionError) -> ExpressionSyntax {
    var parser = ExpressionParser(scalars: Array(text.unicodeScalars))
    let syntax = try parser.alternatives()
    if parser.peek != nil { throw ExpressionError(problem: "has a ) too many") }
    return syntax
  }

  private init(scalars: [Unicode.Scalar]) { self.scalars = scalars }

  private var peek: Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

  private mutating func take(_ text: String) -> Bool {
    let wanted = Array(text.unicodeScalars)
    guard index + wanted.count <= scalars.count,
      scalars[index..<index + wanted.count].elementsEqual(wanted)
    else { return false }
    index += wanted.count
    return true
  }

  private mutating func next() throws(ExpressionError) -> Unicode.Scalar {
    guard let scalar = peek else { throw ExpressionError(problem: "ends too early") }
    index += 1
    return scalar
  }

  private mutating func alternatives() throws(ExpressionError) -> ExpressionSyntax {
    depth += 1
    defer { depth -= 1 }
    if depth > Self.depthMax { throw ExpressionError(problem: "is nested too deeply") }
    var parts = [try sequence()]
    while take("|") { parts.append(try sequence()) }
    return parts.count == 1 ? parts[0] : .alternatives(parts)
  }

  private mutating func sequence() throws(ExpressionError) -> ExpressionSyntax {
    var parts: [ExpressionSyntax] = []
    while let scalar = peek, scalar != "|", scalar != ")" {
      var part = try atom()
      while let repeated = try repetition(of: part) { part = repeated }
      parts.append(part)
    }
    return parts.count == 1 ? parts[0] : .sequence(parts)
  }

  /// `part` with what says how often it comes; nil where nothing does.
  private mutating func repetition(
    of part: ExpressionSyntax
  ) throws(ExpressionError) -> ExpressionSyntax? {
    var (min, max) = (0, Int?.none)
    var isInterval = false
    if take("*") {
    } else if take("+") {
      min = 1
    } else if take("?") {
      max = 1
    } else if let interval = try interval() {
      (min, max) = interval
      isInterval = true
    } else {
      return nil
    }
    if max == nil && part.lengthMin == 0 {
      throw ExpressionError(problem: "repeats what can be empty without a limit")
    }
    if take("?") { return .repetition(part, min: min, max: max, .lazy) }
    // After an interval a plus repeats it again.
    if !isInterval && take("+") { return .repetition(part, min: min, max: max, .possessive) }
    return .repetition(part, min: min, max: max, .greedy)
  }

  /// `{3}`, `{1,}`, `{,3}` or `{1,3}`; nil, and nothing taken, where no such thing follows.
  private mutating func interval() throws(ExpressionError) -> (Int, Int?)? {
    let start = index
    guard take("{") else { return nil }
    let min = try number()
    var max = min
    let hasComma = take(",")
    if hasComma { max = try number() }
    guard take("}"), min != nil || max != nil else {
      index = start
      return nil
    }
    if let max, let min, max < min { throw ExpressionError(problem: "repeats {\(min),\(max)}") }
    return (min ?? 0, max)
  }

  private mutating func number() throws(ExpressionError) -> Int? {
    var value: Int?
    while let scalar = peek, ("0"..."9").contains(scalar) {
      let next = (value ?? 0) * 10 + Int(scalar.value - 0x30)
      if next > Self.countMax {
        throw ExpressionError(problem: "repeats more than \(Self.countMax) times")
      }
      value = next
      index += 1
    }
    return value
  }

  private mutating func atom() throws(ExpressionError) -> ExpressionSyntax {
    if take("(") { return try group() }
    if take("[") { return .set(cased(try brackets())) }
    if take(".") { return .set(ScalarSet("\n").complement) }
    if take("^") { return .position(.lineStart) }
    if take("$") { return .position(.lineEnd) }
    if peek == "\\", index + 1 < scalars.count {
      let position: ExpressionSyntax.Position? =
        switch scalars[index + 1] {
        case "A": .textStart
        case "z": .textEnd
        case "b": .wordBoundary
        case "B": .noWordBoundary
        default: nil
        }
      if let position {
        index += 2
        return .position(position)
      }
    }
    let scalar = try next()
    if scalar == "*" || scalar == "+" || scalar == "?" {
      throw ExpressionError(problem: "repeats nothing with \(scalar)")
    }
    return .set(cased(scalar == "\\" ? try escape() : ScalarSet(scalar)))
  }

  private func cased(_ set: ScalarSet) -> ScalarSet { ignoresCase ? set.ignoringCase : set }

  /// After an opening parenthesis.
  private mutating func group() throws(ExpressionError) -> ExpressionSyntax {
    let outer = ignoresCase
    defer { ignoresCase = outer }
    var wrap: (ExpressionSyntax) -> ExpressionSyntax = { $0 }
    if take("?i:") {
      ignoresCase = true
    } else if take("?-i:") {
      ignoresCase = false
    } else if take("?=") {
      wrap = { .lookAhead($0, isNegated: false) }
    } else if take("?!") {
      wrap = { .lookAhead($0, isNegated: true) }
    } else if take("?>") {
      wrap = { .atomic($0) }
    } else if !take("?:"), peek == "?" {
      let opening = String(String.UnicodeScalarView(scalars[index...].prefix(3)))
      throw ExpressionError(problem: "has a group of a kind that is not known here: (\(opening)")
    }
    let body = try alternatives()
    guard take(")") else { throw ExpressionError(problem: "has a ( without its )") }
    return wrap(body)
  }

  /// After an opening bracket.
  private mutating func brackets() throws(ExpressionError) -> ScalarSet {
    depth += 1
    defer { depth -= 1 }
    if depth > Self.depthMax { throw ExpressionError(problem: "is nested too deeply") }
    let isNegated = take("^")
    var (all, set) = (ScalarSet?.none, ScalarSet.empty)
    var isFirst = true
    while isFirst || peek != "]" {
      isFirst = false
      if take("&&") {
        all = all?.intersection(set) ?? set
        set = .empty
      } else if take("[") {
        if peek == ":" { throw ExpressionError(problem: "has a set named [: :]") }
        set = set.union(try brackets())
      } else {
        set = set.union(try item())
      }
    }
    index += 1
    let result = all?.intersection(set) ?? set
    return isNegated ? result.complement : result
  }

  /// A scalar, a range or an escape of a set.
  private mutating func item() throws(ExpressionError) -> ScalarSet {
    let scalar = try next()
    let first = scalar == "\\" ? try escape() : ScalarSet(scalar)
    guard peek == "-", index + 1 < scalars.count, scalars[index + 1] != "]",
      let low = first.single
    else { return first }
    index += 1
    let end = try next()
    guard let high = end == "\\" ? try escape().single : end.value, low <= high else {
      throw ExpressionError(problem: "has a range that ends before it begins")
    }
    return ScalarSet(low...high)
  }

  /// After a backslash.
  private mutating func escape() throws(ExpressionError) -> ScalarSet {
    let scalar = try next()
    switch scalar {
    case "s": return .space
    case "S": return ScalarSet.space.complement
    case "d": return .digit
    case "D": return ScalarSet.digit.complement
    case "w": return .word
    case "W": return ScalarSet.word.complement
    case "n": return ScalarSet("\n")
    case "r": return ScalarSet("\r")
    case "t": return ScalarSet("\t")
    case "f": return ScalarSet("\u{C}")
    case "v": return ScalarSet("\u{B}")
    case "p", "P": return try property(isNegated: scalar == "P")
    case "x", "u": return try coded(scalar)
    case "a"..."z", "A"..."Z", "0"..."9":
      throw ExpressionError(problem: "has the escape \\\(scalar), which is not known here")
    default: return ScalarSet(scalar)
    }
  }

  private mutating func property(isNegated: Bool) throws(ExpressionError) -> ScalarSet {
    var name = ""
    if take("{") {
      while !take("}") { name.unicodeScalars.append(try next()) }
    } else {
      name.unicodeScalars.append(try next())
    }
    let isNegatedInside = name.hasPrefix("^")
    if isNegatedInside { name.removeFirst() }
    guard let set = ScalarSet.property(name) else {
      throw ExpressionError(problem: "has the property \(name), which is not known here")
    }
    return isNegated != isNegatedInside ? set.complement : set
  }

  /// `\x41`, `\x{1F600}`, `\u0041` or `\u{1F600}`.
  private mutating func coded(_ kind: Unicode.Scalar) throws(ExpressionError) -> ScalarSet {
    var digits = ""
    if take("{") {
      while !take("}") { digits.unicodeScalars.append(try next()) }
    } else {
      for _ in 0..<(kind == "x" ? 2 : 4) { digits.unicodeScalars.append(try next()) }
    }
    guard let value = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(value) else {
      throw ExpressionError(problem: "has the character \\\(kind) \(digits), which is none")
    }
    return ScalarSet(scalar)
  }
}

extension ScalarSet {
  /// The scalar of a set that was made of one.
  fileprivate var single: UInt32? {
    guard let index = masks.firstIndex(where: { $0 != 0 }), index + 1 < starts.count,
      starts[index + 1] == starts[index] + 1, masks[(index + 1)...].allSatisfy({ $0 == 0 })
    else { return nil }
    return starts[index]
  }
}
