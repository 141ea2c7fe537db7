import MoECore
import MoETemplates

extension Message {
  /// As templates see it.
  var chatMessage: ChatMessage {
    ChatMessage(
      role: role.rawValue, content: .text(text), reasoningContent: thinking,
      toolCalls: toolCalls.map { call in
        ChatMessage.ToolCall(
          id: call.id, name: call.name,
          arguments: (try? JSON(text: call.arguments)) ?? .string(call.arguments))
      }, toolCallID: toolCallID)
  }
}

extension Tool {
  /// The schema of its arguments.
  private var schema: JSON {
    get throws(EngineError) {
      do {
        return try JSON(text: parameters)
      } catch {
        throw .invalidOption(
          name: "the parameters of the tool \(name.quotedForMessage)", wanted: "a JSON schema",
          found: "a text that cannot be read: \(error)")
      }
    }
  }

  /// As templates see it, and as its calls are checked.
  var definition: (template: ToolDefinition, output: OutputTool) {
    get throws(EngineError) {
      let schema = try schema
      let function = JSON.object([
        JSONMember(name: "name", value: .string(name)),
        JSONMember(name: "description", value: .string(summary)),
        JSONMember(name: "parameters", value: schema),
      ])
      return (
        ToolDefinition(
          json: .object([
            JSONMember(name: "type", value: .string("function")),
            JSONMember(name: "function", value: function),
          ])),
        OutputTool(name: name, parameters: schema)
      )
    }
  }
}
