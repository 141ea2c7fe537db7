extension Text {
  /// With the five characters of HTML replaced by their names, as markupsafe writes them.
  var escapedForHTML: Text {
    replacingLetters { scalar in
      switch scalar {
      case "&": "&amp;"
      case "<": "&lt;"
      case ">": "&gt;"
      case "'": "&#39;"
      case "\"": "&#34;"
      default: nil
      }
    }
  }

  /// What stands between the quotes of a JSON string.
  func escapedForJSON(ascii isASCII: Bool) -> Text {
    replacingLetters { scalar in
      switch scalar {
      case "\"": return "\\\""
      case "\\": return "\\\\"
      case "\n": return "\\n"
      case "\r": return "\\r"
      case "\t": return "\\t"
      case "\u{8}": return "\\b"
      case "\u{C}": return "\\f"
      case "\0"..<" ": return "\\u" + hexadecimal(scalar.value, digitCount: 4)
      case "\u{7F}"... where isASCII:
        return String(scalar).utf16.map { "\\u" + hexadecimal(UInt32($0), digitCount: 4) }
          .joined()
      default: return nil
      }
    }
  }

  /// In quotes with escapes, as Python's `repr` writes a string.
  func quoted(_ origin: Origin) -> Text {
    let scalars = letters.lazy.map(\.scalar)
    let quote: Unicode.Scalar = scalars.contains("'") && !scalars.contains("\"") ? "\"" : "'"
    var text = Text([Letter(quote, origin)])
    text.append(
      replacingLetters { scalar in
        switch scalar {
        case quote: return "\\" + String(quote)
        case "\\": return "\\\\"
        case "\n": return "\\n"
        case "\r": return "\\r"
        case "\t": return "\\t"
        default: break
        }
        if scalar.isPythonPrintable { return nil }
        if scalar.value < 0x100 { return "\\x" + hexadecimal(scalar.value, digitCount: 2) }
        if scalar.value < 0x1_0000 { return "\\u" + hexadecimal(scalar.value, digitCount: 4) }
        return "\\U" + hexadecimal(scalar.value, digitCount: 8)
      })
    text.letters.append(Letter(quote, origin))
    return text
  }

  /// What replaces a character has its origin.
  private func replacingLetters(_ replacement: (Unicode.Scalar) -> String?) -> Text {
    var text = Text()
    text.letters.reserveCapacity(count)
    for letter in letters {
      if let string = replacement(letter.scalar) {
        text.append(string, letter.origin)
      } else {
        text.letters.append(letter)
      }
    }
    return text
  }
}

private func hexadecimal(_ value: UInt32, digitCount: Int) -> String {
  let digits = String(value, radix: 16)
  return String(repeating: "0", count: max(digitCount - digits.count, 0)) + digits
}

extension Unicode.Scalar {
  /// Whether Python's `repr` writes the character as it is.
  fileprivate var isPythonPrintable: Bool {
    if isASCII { return value >= 0x20 && value != 0x7F }
    return switch properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
      .paragraphSeparator, .spaceSeparator:
      false
    default: true
    }
  }
}
