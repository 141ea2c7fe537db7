package import MoECore

/// A function that the model may call, as chat interfaces describe it.
package struct ToolDefinition: Hashable, Sendable {
  /// Usually `{"type": "function", "function": {"name", "description", "parameters"}}`.
  package let json: JSON

  package init(json: JSON) { self.json = json }

  /// From a text; members keep their order. Throws where the text is not JSON.
  package init(jsonText: String) throws(JSONError) {
    self.init(json: try JSON(text: jsonText))
  }
}
