extension JSON {
  /// The value as JSON, without spaces; members keep their order and numbers their text.
  package var jsonText: String {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .number(let text): text
    case .string(let text): Self.quoted(text)
    case .array(let elements): "[" + elements.map(\.jsonText).joined(separator: ",") + "]"
    case .object(let members):
      "{"
        + members.map { Self.quoted($0.name) + ":" + $0.value.jsonText }.joined(separator: ",")
        + "}"
    }
  }

  private static func quoted(_ text: String) -> String {
    String(decoding: JSONString.quoted(Array(text.utf8)), as: UTF8.self)
  }
}
