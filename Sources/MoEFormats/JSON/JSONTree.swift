package import MoECore

/// A small JSON text as a whole: configurations, of which most members are looked at.
package indirect enum JSONTree: Sendable, Equatable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSONTree])
  case object([String: JSONTree])

  /// Of members with the same name the last counts, as in the libraries that wrote the text.
  package init(_ bytes: [UInt8]) throws(JSONError) {
    var reader = JSONReader(bytes)
    self = try JSONTree(&reader)
    try reader.end()
  }

  package init(_ reader: inout JSONReader) throws(JSONError) {
    switch try reader.kind() {
    case .object:
      var members: [String: JSONTree] = [:]
      try reader.beginObject()
      while let name = try reader.nextName() { members[name] = try JSONTree(&reader) }
      self = .object(members)
    case .array:
      var elements: [JSONTree] = []
      try reader.beginArray()
      while try reader.hasElement() { elements.append(try JSONTree(&reader)) }
      self = .array(elements)
    case .string: self = .string(try reader.string())
    case .number: self = .number(try reader.number())
    case .bool: self = .bool(try reader.bool())
    case .null:
      guard reader.takeNull() else { throw reader.error("null") }
      self = .null
    }
  }

  /// A member of an object; nil where there is none or it is null.
  package subscript(name: String) -> JSONTree? {
    guard case .object(let members) = self, let value = members[name], value != .null else {
      return nil
    }
    return value
  }

  package var string: String? { if case .string(let value) = self { value } else { nil } }

  package var number: Double? { if case .number(let value) = self { value } else { nil } }

  package var integer: Int? { number.flatMap { Int(exactly: $0) } }

  package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

  package var array: [JSONTree]? { if case .array(let value) = self { value } else { nil } }

  package var object: [String: JSONTree]? {
    if case .object(let value) = self { value } else { nil }
  }
}
