extension Lexer {
  /// Names are looked at again at each step.
  private static let nameLengthMax = 256

  /// What stands in a tag, up to its end and with it.
  mutating func tag(isOutput: Bool) throws(TemplateError) {
    /// The closing brackets that are still to come.
    var brackets: [String] = []
    while true {
      advance(to: endOfSpace(from: position))
      if brackets.isEmpty, let end = endOfTag(isOutput: isOutput) {
        append(isOutput ? .outputEnd : .tagEnd)
        advance(to: end)
        return
      }
      guard let next = scalar(at: position) else { throw error("a tag is not closed") }
      if next.isTemplateDigit {
        try number()
      } else if next.isNamePart {
        let start = position
        while let part = scalar(at: position), part.isNamePart { position += 1 }
        if position - start > Self.nameLengthMax {
          throw error("a name of more than \(Self.nameLengthMax) characters")
        }
        append(.name(string(start..<position)))
      } else if next == "'" || next == "\"" {
        try stringLiteral(quote: next)
      } else {
        try symbol(brackets: &brackets)
      }
    }
  }

  /// Behind the tag's closing delimiter, where it stands here.
  private func endOfTag(isOutput: Bool) -> Int? {
    let sign = scalar(at: position).flatMap { $0 == "-" || $0 == "+" && !isOutput ? $0 : nil }
    let closing = sign == nil ? position : position + 1
    guard has(isOutput ? "}}" : "%}", at: closing) else { return nil }
    if isOutput && sign == nil { return closing + 2 }
    return endOfTag(closedAt: closing, sign: sign)
  }

  private mutating func symbol(brackets: inout [String]) throws(TemplateError) {
    let two = ["//", "**", "==", "!=", ">=", "<="].first { has($0, at: position) }
    guard let next = scalar(at: position) else { return }
    guard
      let symbol = two ?? ("+-/*%~[](){}><=.:|,".unicodeScalars.contains(next) ? "\(next)" : nil)
    else { throw error("unexpected character '\(next)'") }
    switch symbol {
    case "(": brackets.append(")")
    case "[": brackets.append("]")
    case "{": brackets.append("}")
    case ")", "]", "}":
      guard brackets.popLast() == symbol else { throw error("unexpected '\(symbol)'") }
    default: break
    }
    append(.symbol(symbol))
    position += symbol.unicodeScalars.count
  }

  private mutating func number() throws(TemplateError) {
    let start = position
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)]
    where has(prefix, at: start) || has(prefix.uppercased(), at: start) {
      position += 2
      let digits = takeDigits { $0.properties.isASCIIHexDigit }
      guard let value = Int(digits, radix: radix) else { throw error("a number that is none") }
      append(.integer(value))
      return
    }
    var text = takeDigits(\.isTemplateDigit)
    var isFloat = false
    // Behind a point only an index can stand: in `a.0.1` there is no float.
    if start == 0 || source[start - 1] != "." {
      if scalar(at: position) == ".", let next = scalar(at: position + 1), next.isTemplateDigit {
        position += 1
        text += "." + takeDigits(\.isTemplateDigit)
        isFloat = true
      }
      if let exponent = exponent() {
        text += exponent
        isFloat = true
      }
    }
    if isFloat {
      append(.float(Double(text) ?? 0))
    } else if let value = Int(text) {
      append(.integer(value))
    } else {
      throw error("an integer of more than 64 bits")
    }
  }

  private mutating func exponent() -> String? {
    guard let letter = scalar(at: position), letter == "e" || letter == "E" else { return nil }
    let sign = scalar(at: position + 1).flatMap { $0 == "-" || $0 == "+" ? $0 : nil }
    let start = position + (sign == nil ? 1 : 2)
    guard let first = scalar(at: start), first.isTemplateDigit else { return nil }
    position = start
    return "e" + (sign.map { "\($0)" } ?? "") + takeDigits(\.isTemplateDigit)
  }

  /// Digits, between which single underscores may stand.
  private mutating func takeDigits(_ isDigit: (Unicode.Scalar) -> Bool) -> String {
    var digits = ""
    while let next = scalar(at: position) {
      if isDigit(next) {
        digits.unicodeScalars.append(next)
        position += 1
      } else if next == "_", !digits.isEmpty, let other = scalar(at: position + 1), isDigit(other) {
        position += 1
      } else {
        break
      }
    }
    return digits
  }

  private mutating func stringLiteral(quote: Unicode.Scalar) throws(TemplateError) {
    let lineOfStart = line
    var text = String.UnicodeScalarView()
    position += 1
    while let next = scalar(at: position), next != quote {
      if next == "\n" { line += 1 }
      position += 1
      if next == "\\" {
        text.append(contentsOf: try escape())
      } else {
        text.append(next)
      }
    }
    guard position < source.count else {
      throw TemplateError(.syntax, "a string is not closed", line: lineOfStart)
    }
    position += 1
    append(.string(String(text)))
  }

  /// After a backslash, as Python reads it: what is no escape stays as it is.
  private mutating func escape() throws(TemplateError) -> [Unicode.Scalar] {
    guard let next = scalar(at: position) else { return ["\\"] }
    position += 1
    switch next {
    case "\n":
      line += 1
      return []
    case "\\", "'", "\"": return [next]
    case "n": return ["\n"]
    case "t": return ["\t"]
    case "r": return ["\r"]
    case "a": return ["\u{7}"]
    case "b": return ["\u{8}"]
    case "f": return ["\u{C}"]
    case "v": return ["\u{B}"]
    case "x": return [try codePoint(digitCount: 2)]
    case "u": return [try codePoint(digitCount: 4)]
    case "U": return [try codePoint(digitCount: 8)]
    case "N": throw error("unsupported: the escape '\\N' in a string")
    case "0"..."7":
      var value = next.value - 0x30
      var count = 1
      while count < 3, let digit = scalar(at: position), ("0"..."7").contains(digit) {
        value = value * 8 + digit.value - 0x30
        position += 1
        count += 1
      }
      return [Unicode.Scalar(value) ?? "\u{FFFD}"]
    default: return ["\\", next]
    }
  }

  private mutating func codePoint(digitCount: Int) throws(TemplateError) -> Unicode.Scalar {
    let end = position + digitCount
    guard end <= source.count,
      source[position..<end].allSatisfy({ $0.properties.isASCIIHexDigit }),
      let value = UInt32(string(position..<end), radix: 16), let scalar = Unicode.Scalar(value)
    else { throw error("an escape that names no character") }
    position = end
    return scalar
  }
}

extension Unicode.Scalar {
  var isTemplateDigit: Bool { ("0"..."9").contains(self) }

  fileprivate var isNamePart: Bool {
    if isASCII { return isTemplateDigit || properties.isAlphabetic || self == "_" }
    return properties.isAlphabetic || properties.numericType != nil
  }
}
