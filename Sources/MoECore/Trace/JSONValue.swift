/// A JSON value that is kept or written without any library.
package indirect enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// One line, keys sorted. Numbers that JSON has no form for become null.
  package var text: String {
    switch self {
    case .null: return "null"
    case .bool(let value): return value ? "true" : "false"
    case .integer(let value): return "\(value)"
    case .number(let value): return value.isFinite ? "\(value)" : "null"
    case .string(let value): return Self.quoted(value)
    case .array(let values): return "[" + values.map(\.text).joined(separator: ", ") + "]"
    case .object(let members):
      return "{" + Self.lines(members).joined(separator: ", ") + "}"
    }
  }

  /// An object with a line for each of its members; other values as `text` has them.
  package var lines: String {
    guard case .object(let members) = self, !members.isEmpty else { return text + "\n" }
    return "{\n  " + Self.lines(members).joined(separator: ",\n  ") + "\n}\n"
  }

  package var asInteger: Int? {
    if case .integer(let value) = self { value } else { nil }
  }

  package var asString: String? {
    if case .string(let value) = self { value } else { nil }
  }

  package var asArray: [JSONValue]? {
    if case .array(let values) = self { values } else { nil }
  }

  private static func lines(_ members: [String: JSONValue]) -> [String] {
    members.sorted { $0.key < $1.key }.map { "\(quoted($0.key)): \($0.value.text)" }
  }

  /// Everything that is not ASCII stays as it is: the text is UTF-8.
  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\u{0}"..<"\u{20}":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
