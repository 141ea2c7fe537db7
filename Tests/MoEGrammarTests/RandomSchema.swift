import MoECore

/// Makes schemas of all keywords, in each other.
struct RandomSchema {
  var generator: SeededGenerator

  private static let names = ["a", "ab", "b", "name", "é", "q\"x", "", "x-y", "/~", "z"]
  private static let texts = ["", "a", "ab", "abc", "é", "日本", "a\"b", "\n", "😀", "x/y", "\\"]
  private static let patterns = [
    "^[a-z]+$", "a", "^\\d{2,3}-[A-F]$", "^(ab|cd)*$", "^[^\"]{1,5}$", "b$", "^.?é",
    "^\\w+\\s\\w+$",
    "^[\\u4e00-\\u4eff]{1,3}$", "^(a|b(c|d{2})+)$", "^\\S*$", "x|y|^z",
  ]
  private static let formats = [
    "date", "time", "date-time", "uuid", "email", "ipv4", "ipv6", "uri", "hostname", "duration",
    "colour",
  ]

  private mutating func chance(_ one: Int, in all: Int) -> Bool {
    Int.random(in: 0..<all, using: &generator) < one
  }

  private mutating func number(_ range: ClosedRange<Int>) -> Int {
    Int.random(in: range, using: &generator)
  }

  private mutating func one<Element>(of elements: [Element]) -> Element {
    elements[Int.random(in: 0..<elements.count, using: &generator)]
  }

  /// A whole schema, with definitions that it refers to.
  mutating func document() -> JSON {
    var members = [
      JSONMember(
        name: "$defs",
        value: .object([
          JSONMember(name: "d0", value: schema(depth: 2)),
          JSONMember(name: "d1", value: schema(depth: 1)),
        ]))
    ]
    if case .object(let own) = schema(depth: 3) { members += own }
    return .object(members)
  }

  mutating func schema(depth: Int) -> JSON {
    switch number(0...(depth == 0 ? 6 : 13)) {
    case 0: return one(of: [.bool(true), .object([]), object(("type", .string("null")))])
    case 1: return integer()
    case 2: return float()
    case 3, 4: return string()
    case 5: return object(("enum", .array((0..<number(1...4)).map { _ in value(depth: 1) })))
    case 6:
      return chance(1, in: 2)
        ? object(("const", value(depth: 2)))
        : object(
          ("type", one(of: [.string("boolean"), .array([.string("boolean"), .string("null")])])))
    case 7, 8, 9: return objectSchema(depth)
    case 10, 11: return arraySchema(depth)
    case 12: return choice(depth)
    default: return object(("$ref", .string(one(of: ["#/$defs/d0", "#/$defs/d1"]))))
    }
  }

  private func object(_ members: (String, JSON)...) -> JSON { object(members) }

  private func object(_ members: [(String, JSON)]) -> JSON {
    .object(members.map { JSONMember(name: $0.0, value: $0.1) })
  }

  mutating func value(depth: Int) -> JSON {
    switch number(0...(depth == 0 ? 5 : 7)) {
    case 0: return .null
    case 1: return .bool(chance(1, in: 2))
    case 2: return .integer(number(-20...200))
    case 3: return .number(one(of: ["0.5", "-1.25", "1e2", "-0", "3.0", "12345678901234567890"]))
    case 4, 5: return .string(one(of: Self.texts))
    case 6: return .array((0..<number(0...2)).map { _ in value(depth: depth - 1) })
    default:
      return object((0..<number(0...2)).map { (Self.names[$0 + 2], value(depth: depth - 1)) })
    }
  }

  private mutating func integer() -> JSON {
    var members: [(String, JSON)] = [("type", .string("integer"))]
    let least = number(-130...130)
    if chance(2, in: 3) {
      members.append((one(of: ["minimum", "exclusiveMinimum"]), .integer(least)))
    }
    if chance(2, in: 3) {
      let most = JSON.integer(least + number(2...300))
      members.append((one(of: ["maximum", "exclusiveMaximum"]), most))
    }
    return object(members)
  }

  private mutating func float() -> JSON {
    var members: [(String, JSON)] = [("type", .string("number"))]
    let least = Double(number(-400...400)) / 4
    if chance(2, in: 3) {
      members.append((one(of: ["minimum", "exclusiveMinimum"]), .number("\(least)")))
    }
    if chance(2, in: 3) {
      let most = JSON.number("\(least + Double(number(1...300)) / 8)")
      members.append((one(of: ["maximum", "exclusiveMaximum"]), most))
    }
    return object(members)
  }

  private mutating func string() -> JSON {
    var members: [(String, JSON)] = [("type", .string("string"))]
    switch number(0...5) {
    case 0: members.append(("format", .string(one(of: Self.formats))))
    case 1, 2: members.append(("pattern", .string(one(of: Self.patterns))))
    default: break
    }
    let least = number(0...4)
    if chance(1, in: 3) { members.append(("minLength", .integer(least))) }
    if chance(1, in: 3) { members.append(("maxLength", .integer(least + number(0...30)))) }
    return object(members)
  }

  private mutating func objectSchema(_ depth: Int) -> JSON {
    var members: [(String, JSON)] = [("type", .string("object"))]
    let names = Self.names.shuffled(using: &generator).prefix(number(0...4))
    var properties: [(String, JSON)] = []
    for name in names { properties.append((name, schema(depth: depth - 1))) }
    if !names.isEmpty { members.append(("properties", object(properties))) }
    let required = Self.names.shuffled(using: &generator).prefix(number(0...5)).filter {
      names.contains($0) || chance(1, in: 12)
    }
    if !required.isEmpty { members.append(("required", .array(required.map { .string($0) }))) }
    switch number(0...3) {
    case 0: members.append(("additionalProperties", .bool(false)))
    case 1: members.append(("additionalProperties", schema(depth: depth - 1)))
    default: break
    }
    if chance(1, in: 6) { members.append(("maxProperties", .integer(number(required.count...6)))) }
    if chance(1, in: 6) {
      members.append(("minProperties", .integer(number(0...max(names.count, 1)))))
    }
    if chance(1, in: 8) {
      members.append(
        (
          "patternProperties",
          object((one(of: Self.patterns), schema(depth: depth - 1)), ("^zz", schema(depth: 0)))
        ))
    }
    if chance(1, in: 10) {
      let names = object(("maxLength", .integer(number(1...5))))
      members.append(("propertyNames", names))
    }
    return object(members)
  }

  private mutating func arraySchema(_ depth: Int) -> JSON {
    var members: [(String, JSON)] = [("type", .string("array"))]
    if chance(1, in: 3) {
      let prefix = (0..<number(1...3)).map { _ in schema(depth: depth - 1) }
      members.append(("prefixItems", .array(prefix)))
    }
    if chance(2, in: 3) {
      members.append(("items", chance(1, in: 8) ? .bool(false) : schema(depth: depth - 1)))
    }
    let least = number(0...3)
    if chance(1, in: 3) { members.append(("minItems", .integer(least))) }
    if chance(1, in: 2) { members.append(("maxItems", .integer(least + number(0...3)))) }
    return object(members)
  }

  private mutating func choice(_ depth: Int) -> JSON {
    let parts = (0..<number(1...3)).map { _ in schema(depth: depth - 1) }
    switch number(0...3) {
    case 0: return object(("anyOf", .array(parts)))
    case 1: return object(("oneOf", .array(parts)))
    case 2: return object(("allOf", .array(Array(parts.prefix(2)))))
    default:
      // Beside other keywords.
      guard case .object(let members) = objectSchema(depth) else { return .bool(true) }
      return .object(members + [JSONMember(name: "anyOf", value: .array(parts))])
    }
  }
}
