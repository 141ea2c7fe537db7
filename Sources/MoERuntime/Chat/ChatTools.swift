import MoECore
package import MoETemplates

/// The tools that a conversation may call, as chat interfaces describe them.
package struct ChatTools: Sendable {
  /// As templates see them.
  package let definitions: [ToolDefinition]
  /// As readers of answers see them.
  package let outputs: [OutputTool]

  package static let none = ChatTools(definitions: [], outputs: [])

  private init(definitions: [ToolDefinition], outputs: [OutputTool]) {
    self.definitions = definitions
    self.outputs = outputs
  }

  /// From a text with a JSON array of functions.
  ///
  /// - Parameter place: Where the text is from, for messages: `in 'tools.json'`.
  /// - Throws: `EngineError.template` where the text has something else.
  package init(json text: String, place: String) throws(EngineError) {
    let wanted = "give a JSON array of tools, each {\"type\": \"function\", \"function\": {…}}"
    let json: JSON
    do {
      json = try JSON(text: text)
    } catch {
      throw .template("the tools \(place) cannot be read: \(error); \(wanted)")
    }
    guard case .array(let elements) = json else {
      throw .template("there is no list of tools \(place); \(wanted)")
    }
    var outputs: [OutputTool] = []
    for element in elements {
      let function = element["function"] ?? element
      guard let name = function["name"]?.string else {
        throw .template("a tool \(place) has no name; \(wanted)")
      }
      outputs.append(OutputTool(name: name, parameters: function["parameters"]))
    }
    self.init(definitions: elements.map { ToolDefinition(json: $0) }, outputs: outputs)
  }
}
