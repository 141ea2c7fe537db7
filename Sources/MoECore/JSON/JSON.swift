/// A JSON value that keeps how it was written: the order of members and the text of numbers.
///
/// For texts of strangers: conversations, tools, schemas, requests.
package indirect enum JSON: Hashable, Sendable {
  case null
  case bool(Bool)
  /// The number's text, as JSON writes it: with a point or an exponent it is a float.
  case number(String)
  case string(String)
  case array([JSON])
  /// In their order; of members with the same name the last counts, at the first one's place.
  case object([JSONMember])

  package static func integer(_ value: Int) -> JSON { .number("\(value)") }

  /// The last member of that name; nil for other values.
  package subscript(name: String) -> JSON? {
    guard case .object(let members) = self else { return nil }
    return members.last { $0.name == name }?.value
  }

  /// How many values may lie in each other.
  package static let nestingMax = 64

  /// Reads a text that is one JSON value. Throws where it is none, or nests too deep.
  package init(text: String) throws(JSONError) {
    self = try JSONTextReader.read(text)
  }
}

/// A name and its value in a JSON object.
package struct JSONMember: Hashable, Sendable {
  package var name: String
  package var value: JSON

  package init(name: String, value: JSON) {
    self.name = name
    self.value = value
  }
}

/// Where a text stops being JSON, or being what its reader wants.
package struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
  package let position: Int
  package let wanted: String

  package init(position: Int, wanted: String) {
    self.position = position
    self.wanted = wanted
  }

  package var description: String {
    "the JSON text is wrong at byte \(position): wanted \(wanted)"
  }
}
