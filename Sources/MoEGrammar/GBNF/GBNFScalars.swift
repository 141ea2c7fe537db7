private import MoECore

/// The characters of a grammar's text, with the line that is being read.
struct GBNFScalars {
  private let scalars: [Unicode.Scalar]
  private var index = 0
  private(set) var line = 1

  init(_ text: String) { scalars = Array(text.unicodeScalars) }

  var isAtEnd: Bool { index == scalars.count }
  var peek: Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

  func error(_ wanted: String) -> GrammarError {
    let found = peek.map { String($0).quotedForMessage } ?? "the end"
    return GrammarError(.syntax, "wanted \(wanted), found \(found)", at: .line(line))
  }

  mutating func next() -> Unicode.Scalar? {
    guard let scalar = peek else { return nil }
    index += 1
    if scalar == "\n" { line += 1 }
    return scalar
  }

  mutating func take(_ text: String) -> Bool {
    let wanted = text.unicodeScalars
    guard scalars[index...].starts(with: wanted) else { return false }
    for _ in 0..<wanted.count { _ = next() }
    return true
  }

  /// Spaces, tabs and comments; line breaks too where a rule goes on behind them.
  mutating func skipSpace(acrossLines: Bool) {
    while let scalar = peek {
      if scalar == "#" {
        while !isAtEnd && peek != "\n" { _ = next() }
      } else if scalar == " " || scalar == "\t"
        || (acrossLines && (scalar == "\n" || scalar == "\r"))
      {
        _ = next()
      } else {
        return
      }
    }
  }

  /// A line that begins with `|` goes on with the rule above, as no rule begins so.
  mutating func takeBarOfNextLine() -> Bool {
    var ahead = self
    ahead.skipSpace(acrossLines: true)
    guard ahead.take("|") else { return false }
    self = ahead
    return true
  }

  /// Letters, digits, `-` and `_`; nil where none is.
  mutating func name() -> String? {
    var name = ""
    while let scalar = peek, Self.isOfName(scalar) {
      name.unicodeScalars.append(scalar)
      _ = next()
    }
    return name.isEmpty ? nil : name
  }

  private static func isOfName(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", "-", "_": true
    default: false
    }
  }

  /// Between quotes.
  mutating func literal() throws(GrammarError) -> [UInt8] {
    _ = take("\"")
    var text = String.UnicodeScalarView()
    while !take("\"") { text.append(try character(in: "a literal")) }
    return Array(String(text).utf8)
  }

  /// Between brackets: characters and ranges, after `^` all others.
  mutating func set() throws(GrammarError) -> ScalarSet {
    _ = take("[")
    let isNegated = take("^")
    var ranges: [ClosedRange<UInt32>] = []
    while !take("]") {
      let first = try character(in: "a set of characters")
      var last = first
      if peek == "-", index + 1 < scalars.count, scalars[index + 1] != "]" {
        _ = next()
        last = try character(in: "a set of characters")
      }
      if last < first { throw error("a range whose end isn't before its beginning") }
      ranges.append(first.value...last.value)
    }
    let set = ScalarSet(ranges)
    let result = isNegated ? set.complement : set
    if result.isEmpty { throw error("a set with a character in it before this") }
    return result
  }

  private mutating func character(in place: String) throws(GrammarError) -> Unicode.Scalar {
    // Literals and sets end on their line.
    if peek == "\n" || peek == "\r" || isAtEnd { throw error("the rest of \(place)") }
    guard let scalar = next() else { throw error("the rest of \(place)") }
    guard scalar == "\\" else { return scalar }
    let escape = peek
    _ = next()
    switch escape {
    case "n": return "\n"
    case "r": return "\r"
    case "t": return "\t"
    case "\\", "\"", "[", "]", "-", "^": return escape ?? "\\"
    case "x": return try hexadecimal(digitCount: 2)
    case "u": return try hexadecimal(digitCount: 4)
    case "U": return try hexadecimal(digitCount: 8)
    default:
      throw GrammarError(
        .syntax,
        "the escape \\\(escape.map { String($0) } ?? "") in \(place) is not known; there are "
          + "\\n \\r \\t \\\\ \\\" \\[ \\] \\- \\^ \\xHH \\uHHHH \\UHHHHHHHH", at: .line(line))
    }
  }

  private mutating func hexadecimal(digitCount: Int) throws(GrammarError) -> Unicode.Scalar {
    var value: UInt32 = 0
    for _ in 0..<digitCount {
      guard let scalar = peek, scalar.isASCII,
        let digit = Character(scalar).hexDigitValue
      else { throw error("\(digitCount) hexadecimal digits") }
      value = value << 4 | UInt32(digit)
      _ = next()
    }
    guard let scalar = Unicode.Scalar(value) else {
      throw error("the number of a character before this")
    }
    return scalar
  }
}
