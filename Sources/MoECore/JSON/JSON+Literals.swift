/// JSON in the program's own text, so that an answer's shape can be read off its source.
extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral,
  ExpressibleByNilLiteral
{
  package init(stringLiteral value: String) { self = .string(value) }
  package init(integerLiteral value: Int) { self = .integer(value) }
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(arrayLiteral elements: JSON...) { self = .array(elements) }
  package init(nilLiteral: ()) { self = .null }

  /// Members keep their order.
  package init(dictionaryLiteral members: (String, JSON)...) {
    self = .object(members.map { JSONMember(name: $0, value: $1) })
  }
}

extension JSON {
  /// A number; one that is not finite has no place in JSON and becomes null.
  package static func real(_ value: Double) -> JSON { value.isFinite ? .number("\(value)") : .null }

  /// A text, or null where there is none.
  package static func text(_ value: String?) -> JSON { value.map(JSON.string) ?? .null }

  /// An object of the members that have a value.
  package static func members(_ members: KeyValuePairs<String, JSON?>) -> JSON {
    .object(members.compactMap { name, value in value.map { JSONMember(name: name, value: $0) } })
  }

  /// The object with more members behind its own; other values as they are.
  package func adding(_ more: KeyValuePairs<String, JSON?>) -> JSON {
    guard case .object(let own) = self, case .object(let others) = JSON.members(more) else {
      return self
    }
    return .object(own + others)
  }

  /// The value of a string; nil for other values.
  package var string: String? {
    if case .string(let text) = self { text } else { nil }
  }

  /// The value of a whole number that an `Int` holds, however it is written; nil for other values.
  package var wholeNumber: Int? {
    guard case .number(let text) = self else { return nil }
    if let value = Int(text) { return value }
    return JSON.isWhole(text) ? Double(text).flatMap { Int(exactly: $0) } : nil
  }

  /// The value of a number; nil for other values and beyond what a `Double` holds.
  package var realNumber: Double? {
    guard case .number(let text) = self, let value = Double(text), value.isFinite else {
      return nil
    }
    return value
  }

  /// What kind of value it is, for messages.
  package var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .number: "a number"
    case .string: "a string"
    case .array: "a list"
    case .object: "an object"
    }
  }
}
