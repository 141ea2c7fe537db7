import MoETokenizer

/// What `tokenize` writes; with `--json` these properties in snake_case as its keys.
struct TokenReport: Encodable {
  struct Token: Encodable {
    let id: Int32
    /// What the token stands for; parts of characters show as U+FFFD.
    let text: String
  }

  let count: Int
  let tokens: [Token]

  init(_ tokens: [Int32], tokenizer: Tokenizer) {
    count = tokens.count
    self.tokens = tokens.map { token in
      let bytes = tokenizer.bytes(of: token, renderSpecial: true)
      return Token(id: token, text: String(decoding: bytes, as: UTF8.self))
    }
  }

  var idLine: String { tokens.map { "\($0.id)" }.joined(separator: " ") + "\n" }

  /// One token per line: the id, a tab, and the text in quotes.
  var lines: String { tokens.map { "\($0.id)\t\"\(Self.escaped($0.text))\"\n" }.joined() }

  /// The text on one line, with nothing in it that a terminal would act on.
  private static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\"", "\\": result += "\\\(scalar)"
      default:
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator:
          result += "\\u{\(String(scalar.value, radix: 16))}"
        default: result.unicodeScalars.append(scalar)
        }
      }
    }
    return result
  }
}
