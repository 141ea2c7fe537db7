import MoECore
import MoERuntime

/// Reads the form that an answer is to have, and has it given.
enum ConstraintFields {
  /// OpenAI's `response_format`, and what `text.format` is of its responses. The schema may also
  /// stand beside the type.
  static func responseFormat(
    _ fields: inout RequestFields, _ name: String = "response_format"
  ) throws(APIError) -> OutputConstraint? {
    guard var format = try fields.object(name) else { return nil }
    defer { format.finish() }
    guard let type = try format.string("type") else {
      throw .invalid(fields.path(of: name), "\(fields.path(of: name)) must have a type")
    }
    let schema = try schema(&format)
    switch type {
    case "text": return nil
    case "json_object": return schema.map(OutputConstraint.jsonSchema) ?? .jsonObject
    case "json_schema":
      guard let schema else {
        throw .invalid(
          format.path(of: "json_schema"), "\(format.path(of: "json_schema")) has no schema")
      }
      return .jsonSchema(schema)
    default:
      throw .invalid(
        format.path(of: "type"),
        "\(format.path(of: "type")) must be text, json_object or json_schema, but is "
          + type.quotedForMessage)
    }
  }

  private static func schema(_ format: inout RequestFields) throws(APIError) -> JSON? {
    format.accept("name", "description", "strict")
    var found = format.value("schema")
    if var inner = try format.object("json_schema") {
      inner.accept("name", "description", "strict")
      found = inner.value("schema") ?? found
      inner.finish()
    }
    guard let found else { return nil }
    if case .object = found { return found }
    throw format.wrong("schema", wanted: "an object", found)
  }

  /// llama-server's `grammar` and `json_schema`.
  static func llama(_ fields: inout RequestFields) throws(APIError) -> OutputConstraint? {
    let grammar = try fields.string("grammar").flatMap { $0.isEmpty ? nil : $0 }
    let schema = fields.value("json_schema")
    if grammar != nil, schema != nil {
      throw .invalid("grammar", "grammar and json_schema can't both be given")
    }
    fields.accept("grammar_lazy", "grammar_triggers")
    if let grammar { return .grammar(grammar) }
    guard let schema else { return nil }
    guard case .object(let members) = schema else {
      throw fields.wrong("json_schema", wanted: "an object", schema)
    }
    // An empty one is llama-server's way to ask for any JSON.
    return members.isEmpty ? .jsonObject : .jsonSchema(schema)
  }

  static func apply(
    _ constraint: OutputConstraint, named name: String, to options: inout GenerationOptions,
    _ core: ServerCore, _ answer: ConstrainedAnswer
  ) throws(APIError) {
    guard let constrain = core.hooks.constrain else {
      throw .unsupported(name, "\(name) is not offered: this server does not enforce a form")
    }
    do {
      try constrain(constraint, answer)(&options)
    } catch {
      throw .invalid(name, "\(name) can't be enforced: \(error)", code: "invalid_grammar")
    }
  }
}
