import MoECore

/// Types that a JSON schema allows.
struct OutputTypes: OptionSet, Sendable {
  let rawValue: UInt8

  static let string = Self(rawValue: 1)
  static let number = Self(rawValue: 2)
  static let integer = Self(rawValue: 4)
  static let boolean = Self(rawValue: 8)
  static let object = Self(rawValue: 16)
  static let array = Self(rawValue: 32)
  static let null = Self(rawValue: 64)

  init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Nil where the name is no type's.
  init?(named name: String) {
    switch name {
    case "string": self = .string
    case "number": self = .number
    case "integer": self = .integer
    case "boolean": self = .boolean
    case "object": self = .object
    case "array": self = .array
    case "null": self = .null
    default: return nil
    }
  }

  /// The types that a value has. A whole number is an integer and a number.
  init(of value: JSON) {
    switch value {
    case .null: self = .null
    case .bool: self = .boolean
    case .number(let text): self = JSON.isWhole(text) ? [.number, .integer] : .number
    case .string: self = .string
    case .array: self = .array
    case .object: self = .object
    }
  }

  /// The types that a schema allows; nil where it doesn't say.
  init?(allowedBy schema: JSON?, depth: Int = 0) {
    guard let schema, depth < OutputLimits.depthMax else { return nil }
    var types: Self = []
    switch schema["type"] {
    case .string(let name): types = Self(named: name) ?? []
    case .array(let names):
      for case .string(let name) in names { types.formUnion(Self(named: name) ?? []) }
    default:
      if case .array(let values) = schema["enum"] {
        for value in values { types.formUnion(Self(of: value)) }
      }
      for key in ["anyOf", "oneOf"] {
        guard case .array(let schemas) = schema[key] else { continue }
        for schema in schemas {
          guard let part = Self(allowedBy: schema, depth: depth + 1) else { return nil }
          types.formUnion(part)
        }
      }
    }
    if case .bool(true) = schema["nullable"], !types.isEmpty { types.insert(.null) }
    if types.isEmpty { return nil }
    self = types
  }

  /// The JSON that bare text stands for. Text that isn't JSON, or may be a string only, is one.
  static func json(of text: [UInt8], types: Self?) -> [UInt8] {
    let word = OutputBytes.trimmed(text)
    if types == .string { return JSONString.quoted(text) }
    if let value = try? JSON(text: String(decoding: word, as: UTF8.self)) {
      guard let types, types.contains(.string), types.isDisjoint(with: Self(of: value)) else {
        return word
      }
    } else if let types {
      // Some templates write values as Python does.
      if types.contains(.boolean), word.elementsEqual("True".utf8) { return Array("true".utf8) }
      if types.contains(.boolean), word.elementsEqual("False".utf8) { return Array("false".utf8) }
      if types.contains(.null), word.elementsEqual("None".utf8) { return Array("null".utf8) }
    }
    return JSONString.quoted(text)
  }
}
