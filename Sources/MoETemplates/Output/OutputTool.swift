/// A tool that a model may call.
package struct OutputTool: Sendable {
  package let name: String
  /// The JSON schema of its arguments; nil where they may be anything.
  package let parameters: TemplateJSON?

  package init(name: String, parameters: TemplateJSON? = nil) {
    self.name = name
    self.parameters = parameters
  }

  /// A tool with its schema as text. Throws where that is no JSON.
  package init(name: String, schema: String) throws(TemplateError) {
    self.init(name: name, parameters: try TemplateJSON(text: schema))
  }

  /// What is wrong with a call's arguments, in sentences; nothing where they fit.
  package func problems(arguments: String) -> [String] {
    OutputSchemaCheck.problems(arguments: arguments, schema: parameters ?? .object([]))
  }
}
