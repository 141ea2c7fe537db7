import MoECore
import MoETemplates

/// Reads the messages of Anthropic's interface: results of tools are parts of what the user says.
struct MessageInput {
  let unknown: UnknownFields

  func messages(_ fields: inout RequestFields) throws(APIError) -> [ChatMessage] {
    guard let value = fields.value("messages") else {
      throw .invalid("messages", "messages is missing; give a list of at least one message")
    }
    guard case .array(let elements) = value, !elements.isEmpty else {
      throw fields.wrong("messages", wanted: "a list of at least one message", value)
    }
    var messages: [ChatMessage] = []
    for (index, element) in elements.enumerated() {
      messages += try message(element, "messages[\(index)]")
    }
    return messages
  }

  private func message(_ json: JSON, _ path: String) throws(APIError) -> [ChatMessage] {
    var fields = try RequestFields(json, at: path, unknown: unknown)
    defer { fields.finish() }
    guard let role = try fields.word("role", among: ["user", "assistant", "system"]) else {
      throw .invalid("\(path).role", "\(path).role is missing; give user or assistant")
    }
    guard let value = fields.value("content") else {
      throw .invalid("\(path).content", "\(path).content is missing; give a text")
    }
    if let text = value.string { return [ChatMessage(role: role, text: text)] }
    guard case .array(let blocks) = value else {
      throw fields.wrong("content", wanted: "a text or a list of blocks", value)
    }
    var parts = Parts()
    for (index, block) in blocks.enumerated() {
      try read(block, "\(path).content[\(index)]", into: &parts)
    }
    return parts.messages(role: role)
  }

  /// What the blocks of a message are.
  private struct Parts {
    var text = ""
    var thinking = ""
    var calls: [ChatMessage.ToolCall] = []
    var results: [ChatMessage] = []

    func messages(role: String) -> [ChatMessage] {
      if role == "assistant" {
        return [
          ChatMessage(
            role: role, content: .text(text), reasoningContent: thinking.isEmpty ? nil : thinking,
            toolCalls: calls)
        ]
      }
      let isSaid = !text.isEmpty || results.isEmpty
      return results + (isSaid ? [ChatMessage(role: role, text: text)] : [])
    }
  }

  private func read(_ json: JSON, _ path: String, into parts: inout Parts) throws(APIError) {
    var block = try RequestFields(json, at: path, unknown: unknown)
    defer { block.finish() }
    block.accept("cache_control", "citations", "signature", "caller")
    guard let type = try block.string("type") else {
      throw .invalid("\(path).type", "\(path).type is missing; give text or another type")
    }
    switch type {
    case "text":
      guard let text = try block.string("text") else {
        throw .invalid("\(path).text", "\(path).text is missing")
      }
      parts.text += text
    case "thinking": parts.thinking += try block.string("thinking") ?? ""
    case "redacted_thinking": block.accept("data")
    case "tool_use":
      guard let name = try block.string("name") else {
        throw .invalid("\(path).name", "\(path).name is missing")
      }
      parts.calls.append(
        ChatMessage.ToolCall(
          id: try block.string("id"), name: name,
          arguments: try MessageReader.arguments(&block, "input")))
    case "tool_result":
      let text = try MessageReader.text(&block, "content", types: ["text"], unknown) ?? ""
      let isError = try block.bool("is_error") ?? false
      parts.results.append(
        ChatMessage(
          role: "tool", content: .text(isError ? "Error: " + text : text),
          toolCallID: try block.string("tool_use_id")))
    default:
      throw .unsupported(
        "\(path).type", "\(path).type \(type.quotedForMessage) is not offered: messages are texts")
    }
  }
}
