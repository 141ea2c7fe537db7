/// Cuts a template into tokens, as jinja2 does with the settings that chat templates are written
/// for: `trim_blocks` and `lstrip_blocks` are on, `keep_trailing_newline` is off.
///
/// So a tag or comment takes the line break right behind it, and the blanks before it where
/// nothing else precedes it on its line; `-` takes all white space on its side, `+` none.
struct Lexer {
  var source: [Unicode.Scalar]
  var position = 0
  var line = 1
  private(set) var tokens: [Token] = []

  static func tokens(of template: String) throws(TemplateError) -> [Token] {
    var lexer = Lexer(source: normalized(template))
    while lexer.position < lexer.source.count { try lexer.piece() }
    lexer.append(.end)
    return lexer.tokens
  }

  private init(source: [Unicode.Scalar]) { self.source = source }

  /// With `\n` for each line break, and without one at the end.
  private static func normalized(_ template: String) -> [Unicode.Scalar] {
    var scalars: [Unicode.Scalar] = []
    var isBehindReturn = false
    for scalar in template.unicodeScalars {
      if scalar == "\n" && isBehindReturn {
        isBehindReturn = false
        continue
      }
      isBehindReturn = scalar == "\r"
      scalars.append(isBehindReturn ? "\n" : scalar)
    }
    if scalars.last == "\n" { scalars.removeLast() }
    return scalars
  }

  mutating func append(_ kind: Token.Kind) { tokens.append(Token(kind: kind, line: line)) }

  func error(_ problem: String) -> TemplateError { TemplateError(.syntax, problem, line: line) }

  func scalar(at index: Int) -> Unicode.Scalar? { index < source.count ? source[index] : nil }

  func has(_ text: String, at index: Int) -> Bool {
    var index = index
    for wanted in text.unicodeScalars {
      if scalar(at: index) != wanted { return false }
      index += 1
    }
    return true
  }

  /// Goes on to a place behind this one, counting lines.
  mutating func advance(to end: Int) {
    for index in position..<end where source[index] == "\n" { line += 1 }
    position = end
  }

  func endOfSpace(from start: Int) -> Int {
    var index = start
    while let scalar = scalar(at: index), scalar.isPythonSpace { index += 1 }
    return index
  }

  /// Text up to the next tag, and that tag.
  private mutating func piece() throws(TemplateError) {
    var opening = position
    while opening < source.count && !isOpening(opening) { opening += 1 }
    guard opening < source.count else {
      appendText(to: source.count, before: nil, isOutput: false)
      return
    }
    let kind = source[opening + 1]
    let sign = scalar(at: opening + 2).flatMap { $0 == "-" || $0 == "+" ? $0 : nil }
    appendText(to: opening, before: sign, isOutput: kind == "{")
    advance(to: opening + (sign == nil ? 2 : 3))
    switch kind {
    case "#": try comment()
    case "{":
      append(.outputBegin)
      try tag(isOutput: true)
    default:
      if let end = endOfRawTag() {
        advance(to: end)
        try rawText()
      } else {
        append(.tagBegin)
        try tag(isOutput: false)
      }
    }
  }

  private func isOpening(_ index: Int) -> Bool {
    guard source[index] == "{", let next = scalar(at: index + 1) else { return false }
    return next == "{" || next == "%" || next == "#"
  }

  /// Text from here to a tag that begins with `sign`.
  private mutating func appendText(to end: Int, before sign: Unicode.Scalar?, isOutput: Bool) {
    var textEnd = end
    if sign == "-" {
      while textEnd > position && source[textEnd - 1].isPythonSpace { textEnd -= 1 }
    } else if sign == nil && !isOutput && end < source.count {
      var start = end
      while start > position && source[start - 1] != "\n" && source[start - 1].isPythonSpace {
        start -= 1
      }
      if start == 0 || source[start - 1] == "\n" { textEnd = start }
    }
    if textEnd > position { append(.text(string(position..<textEnd))) }
    advance(to: end)
  }

  func string(_ range: Range<Int>) -> String {
    String(String.UnicodeScalarView(source[range]))
  }

  private mutating func comment() throws(TemplateError) {
    var end = position
    while !has("#}", at: end) {
      if end >= source.count { throw error("a comment is not closed") }
      end += 1
    }
    let sign = end > position ? source[end - 1] : nil
    advance(to: endOfTag(closedAt: end, sign: sign))
  }

  /// Behind a closing delimiter of two characters and the white space that it takes.
  func endOfTag(closedAt index: Int, sign: Unicode.Scalar?) -> Int {
    let end = index + 2
    if sign == "-" { return endOfSpace(from: end) }
    return sign != "+" && scalar(at: end) == "\n" ? end + 1 : end
  }

  /// Behind `raw %}`; nil where the tag is another.
  private func endOfRawTag() -> Int? {
    let start = endOfSpace(from: position)
    guard has("raw", at: start) else { return nil }
    let end = endOfSpace(from: start + 3)
    if has("-%}", at: end) { return endOfSpace(from: end + 3) }
    return has("%}", at: end) ? end + 2 : nil
  }

  /// Text up to `{% endraw %}`, in which nothing is a tag.
  private mutating func rawText() throws(TemplateError) {
    var opening = position
    while opening < source.count {
      if has("{%", at: opening) {
        let sign = scalar(at: opening + 2).flatMap { $0 == "-" || $0 == "+" ? $0 : nil }
        let name = endOfSpace(from: opening + (sign == nil ? 2 : 3))
        let close = endOfSpace(from: name + 6)
        let closing = scalar(at: close).flatMap { $0 == "-" || $0 == "+" ? $0 : nil }
        let end = closing == nil ? close : close + 1
        if has("endraw", at: name) && has("%}", at: end) {
          appendText(to: opening, before: sign, isOutput: false)
          advance(to: endOfTag(closedAt: end, sign: closing))
          return
        }
      }
      opening += 1
    }
    throw error("the tag 'raw' is not closed")
  }
}
