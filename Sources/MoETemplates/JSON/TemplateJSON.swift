/// A JSON value that keeps what templates print: the order of members and the text of numbers.
package indirect enum TemplateJSON: Hashable, Sendable {
  case null
  case bool(Bool)
  /// The number's text, as JSON writes it: with a point or an exponent it is a float.
  case number(String)
  case string(String)
  case array([TemplateJSON])
  /// In their order; of members with the same name the last counts, at the first one's place.
  case object([TemplateJSONMember])

  package static func integer(_ value: Int) -> TemplateJSON { .number("\(value)") }

  /// The last member of that name; nil for other values.
  package subscript(name: String) -> TemplateJSON? {
    guard case .object(let members) = self else { return nil }
    return members.last { $0.name == name }?.value
  }

  /// Reads a text that is one JSON value. Throws `json` where it is none, or nests deeper than 64.
  package init(text: String) throws(TemplateError) {
    self = try TemplateJSONReader.read(text)
  }
}

/// A name and its value in a JSON object.
package struct TemplateJSONMember: Hashable, Sendable {
  package var name: String
  package var value: TemplateJSON

  package init(name: String, value: TemplateJSON) {
    self.name = name
    self.value = value
  }
}
