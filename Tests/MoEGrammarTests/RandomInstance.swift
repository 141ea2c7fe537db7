import MoECore

/// Makes a value and a schema that it is valid by, for the way back: valid texts must be accepted.
struct RandomInstance {
  var generator: SeededGenerator

  private static let texts = [
    "", "a", "Hello, world", "é", "日本語", "tab\tand\nbreak", "q\"uote\\", "😀😀", "\u{1}\u{7F}",
    "</b>",
  ]

  private mutating func chance(_ one: Int, in all: Int) -> Bool {
    Int.random(in: 0..<all, using: &generator) < one
  }

  private mutating func number(_ range: ClosedRange<Int>) -> Int {
    Int.random(in: range, using: &generator)
  }

  private func object(_ members: [(String, JSON)]) -> JSON {
    .object(members.map { JSONMember(name: $0.0, value: $0.1) })
  }

  mutating func pair(depth: Int) -> (schema: JSON, value: JSON) {
    var (schema, value) = plainPair(depth)
    // Around it: choices of which another part may fit too, parts that ask for less, references.
    switch number(0...9) {
    case 0: schema = object([("anyOf", .array([object([("type", .string("null"))]), schema]))])
    case 1: schema = object([("allOf", .array([schema, .bool(true)]))])
    case 2: schema = object([("enum", .array([.string("other"), value, .null]))])
    case 3: schema = object([("const", value)])
    default: break
    }
    return (schema, value)
  }

  private mutating func plainPair(_ depth: Int) -> (schema: JSON, value: JSON) {
    switch number(0...(depth == 0 ? 5 : 9)) {
    case 0: return (object([("type", .string("null"))]), .null)
    case 1: return (object([("type", .array([.string("boolean"), .string("null")]))]), .bool(true))
    case 2, 3: return numberPair()
    case 4, 5: return stringPair()
    case 6, 7: return arrayPair(depth)
    default: return objectPair(depth)
    }
  }

  private mutating func numberPair() -> (schema: JSON, value: JSON) {
    let value = number(-3000...3000)
    var members: [(String, JSON)] = []
    let isWhole = chance(1, in: 2)
    members.append(("type", .string(isWhole ? "integer" : "number")))
    // In hundredths where it isn't whole.
    func text(_ value: Int) -> String {
      if isWhole { return "\(value)" }
      let cents = abs(value) % 100
      return (value < 0 ? "-" : "") + "\(abs(value) / 100).\(cents < 10 ? "0" : "")\(cents)"
    }
    if chance(1, in: 2) {
      let bound = value - number(0...500)
      let isEqual = bound == value
      let name = !isEqual && chance(1, in: 2) ? "exclusiveMinimum" : "minimum"
      members.append((name, .number(text(bound))))
    }
    if chance(1, in: 2) {
      let bound = value + number(0...500)
      let name = bound != value && chance(1, in: 2) ? "exclusiveMaximum" : "maximum"
      members.append((name, .number(text(bound))))
    }
    return (object(members), .number(text(value)))
  }

  private mutating func stringPair() -> (schema: JSON, value: JSON) {
    var text = Self.texts[number(0...Self.texts.count - 1)]
    if chance(1, in: 3) { text += Self.texts[number(0...Self.texts.count - 1)] }
    let length = text.unicodeScalars.count
    var members: [(String, JSON)] = [("type", .string("string"))]
    if chance(1, in: 2) { members.append(("minLength", .integer(max(length - number(0...3), 0)))) }
    if chance(1, in: 2) { members.append(("maxLength", .integer(length + number(0...3)))) }
    if chance(1, in: 4), let first = text.unicodeScalars.first, first != "\\" {
      members.append(("pattern", .string("^[\(String(first))é]")))
    }
    return (object(members), .string(text))
  }

  private mutating func arrayPair(_ depth: Int) -> (schema: JSON, value: JSON) {
    let pairs = (0..<number(0...3)).map { _ in pair(depth: depth - 1) }
    var members: [(String, JSON)] = [("type", .string("array"))]
    let schemas = pairs.map(\.schema)
    if chance(1, in: 2) && !pairs.isEmpty {
      let prefixCount = number(1...pairs.count)
      members.append(("prefixItems", .array(Array(schemas.prefix(prefixCount)))))
      let rest = Array(schemas.dropFirst(prefixCount))
      members.append(("items", rest.isEmpty ? .bool(false) : object([("anyOf", .array(rest))])))
    } else if !pairs.isEmpty {
      members.append(("items", object([("anyOf", .array(schemas))])))
    }
    if chance(1, in: 2) { members.append(("minItems", .integer(number(0...pairs.count)))) }
    if chance(1, in: 2) { members.append(("maxItems", .integer(pairs.count + number(0...2)))) }
    return (object(members), .array(pairs.map(\.value)))
  }

  private mutating func objectPair(_ depth: Int) -> (schema: JSON, value: JSON) {
    let names = ["id", "né", "a\"b", "", "long name", "x", "idx", "i"].shuffled(using: &generator)
    var properties: [(String, JSON)] = []
    var required: [JSON] = []
    var values: [(String, JSON)] = []
    for name in names.prefix(number(0...5)) {
      let (schema, value) = pair(depth: depth - 1)
      properties.append((name, schema))
      if chance(2, in: 3) {
        values.append((name, value))
        if chance(1, in: 2) { required.append(.string(name)) }
      }
    }
    var members: [(String, JSON)] = [
      ("type", .string("object")), ("properties", object(properties)),
    ]
    if !required.isEmpty { members.append(("required", .array(required))) }
    if chance(1, in: 2) {
      let (schema, value) = pair(depth: depth - 1)
      members.append(("additionalProperties", schema))
      for name in names.suffix(number(0...2)) { values.append((name, value)) }
    }
    if chance(1, in: 5) {
      members.append(("maxProperties", .integer(values.count + number(0...2))))
    }
    return (object(members), object(values))
  }

  /// The value as a writer of JSON might put it.
  mutating func text(_ value: JSON) -> String {
    let isPretty = chance(1, in: 2)
    let isASCII = chance(1, in: 2)
    return write(value, isPretty ? "  " : nil, hasSpaces: chance(1, in: 2), isASCII, level: 0)
  }

  private func write(
    _ value: JSON, _ indentation: String?, hasSpaces: Bool, _ isASCII: Bool, level: Int
  ) -> String {
    func list(_ opening: String, _ parts: [String], _ closing: String) -> String {
      if parts.isEmpty { return opening + closing }
      guard let indentation else {
        return opening + parts.joined(separator: hasSpaces ? ", " : ",") + closing
      }
      let inner = "\n" + String(repeating: indentation, count: level + 1)
      let outer = "\n" + String(repeating: indentation, count: level)
      return opening + inner + parts.joined(separator: "," + inner) + outer + closing
    }
    switch value {
    case .array(let elements):
      return list(
        "[",
        elements.map { write($0, indentation, hasSpaces: hasSpaces, isASCII, level: level + 1) },
        "]")
    case .object(let members):
      let colon = indentation != nil || hasSpaces ? ": " : ":"
      return list(
        "{",
        members.map {
          quoted($0.name, isASCII) + colon
            + write($0.value, indentation, hasSpaces: hasSpaces, isASCII, level: level + 1)
        }, "}")
    case .string(let text): return quoted(text, isASCII)
    default: return value.jsonText
    }
  }

  private func quoted(_ text: String, _ isASCII: Bool) -> String {
    let json = JSON.string(text).jsonText
    if !isASCII { return json }
    return json.utf16.map { unit in
      if unit < 0x80 { return String(UnicodeScalar(UInt8(unit))) }
      let digits = String(unit, radix: 16)
      return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }.joined()
  }
}
