package import MoECore

/// A tool that a model may call.
package struct OutputTool: Sendable {
  package let name: String
  /// The JSON schema of its arguments; nil where they may be anything.
  package let parameters: JSON?

  package init(name: String, parameters: JSON? = nil) {
    self.name = name
    self.parameters = parameters
  }

  /// A tool with its schema as text. Throws where that is no JSON.
  package init(name: String, schema: String) throws(JSONError) {
    self.init(name: name, parameters: try JSON(text: schema))
  }

  /// What is wrong with a call's arguments, in sentences; nothing where they fit.
  package func problems(arguments: String) -> [String] {
    OutputSchemaCheck.problems(arguments: arguments, schema: parameters ?? .object([]))
  }
}
