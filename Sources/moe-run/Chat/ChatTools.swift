import MoECore
import MoETemplates

/// The tools that a conversation may call, from a file: a JSON array of functions as chat
/// interfaces describe them.
struct ChatTools {
  let definitions: [ToolDefinition]
  let outputs: [OutputTool]

  static let none = ChatTools(definitions: [], outputs: [])

  private init(definitions: [ToolDefinition], outputs: [OutputTool]) {
    self.definitions = definitions
    self.outputs = outputs
  }

  /// Throws where the file has something else.
  init(file path: String) throws(Failure) {
    let text = try InputText.file(path)
    let wanted = "give a JSON array of tools, each {\"type\": \"function\", \"function\": {…}}"
    let json: JSON
    do {
      json = try JSON(text: text)
    } catch {
      throw .runtime("the tools in '\(path)' cannot be read: \(error); \(wanted)")
    }
    guard case .array(let elements) = json else {
      throw .runtime("'\(path)' is no list of tools; \(wanted)")
    }
    var outputs: [OutputTool] = []
    for element in elements {
      guard case .string(let name)? = (element["function"] ?? element)["name"] else {
        throw .runtime("a tool in '\(path)' has no name; \(wanted)")
      }
      outputs.append(
        OutputTool(name: name, parameters: (element["function"] ?? element)["parameters"]))
    }
    self.init(definitions: elements.map { ToolDefinition(json: $0) }, outputs: outputs)
  }

  /// What is wrong with a call, in sentences; nothing where it is as its tool wants it.
  func problems(of call: Conversation.Call) -> [String] {
    guard let tool = outputs.first(where: { $0.name == call.name }) else {
      return ["no tool is called '\(call.name)'"]
    }
    return tool.problems(arguments: call.arguments)
  }
}
