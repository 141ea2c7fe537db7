import MoECore
import MoETemplates

/// Reads the input of OpenAI's responses: a text, or the items of a conversation.
struct ResponseInput {
  let unknown: UnknownFields

  func messages(_ fields: inout RequestFields) throws(APIError) -> [ChatMessage] {
    guard let value = fields.value("input") else {
      throw .invalid("input", "input is missing; give a text or a list of items")
    }
    if let text = value.string { return [ChatMessage(role: "user", text: text)] }
    guard case .array(let elements) = value, !elements.isEmpty else {
      throw fields.wrong("input", wanted: "a text or a list of at least one item", value)
    }
    var conversation = Conversation()
    for (index, element) in elements.enumerated() {
      let path = "input[\(index)]"
      var item = try RequestFields(element, at: path, unknown: unknown)
      item.accept("id", "status")
      switch try item.string("type") ?? "message" {
      case "message": conversation.add(try message(&item, path))
      case "function_call": conversation.add(try call(&item, path))
      case "function_call_output": conversation.messages.append(try result(&item, path))
      case "reasoning": conversation.thinking = try thinking(&item)
      case let type:
        throw .unsupported("\(path).type", "\(path).type \(type.quotedForMessage) is not offered")
      }
      item.finish()
    }
    return conversation.messages
  }

  /// Items joined to messages: an answer's thinking, text and calls are one.
  private struct Conversation {
    var messages: [ChatMessage] = []
    /// That belongs to the next message of the assistant.
    var thinking: String?

    mutating func add(_ message: ChatMessage) {
      var message = message
      if message.role == "assistant" {
        message.reasoningContent = thinking
        thinking = nil
      }
      messages.append(message)
    }

    mutating func add(_ call: ChatMessage.ToolCall) {
      if thinking != nil || messages.last?.role != "assistant" {
        add(ChatMessage(role: "assistant", text: ""))
      }
      messages[messages.count - 1].toolCalls.append(call)
    }
  }

  private func message(
    _ item: inout RequestFields, _ path: String
  ) throws(APIError) -> ChatMessage {
    let roles = ["user", "assistant", "system", "developer"]
    guard let role = try item.word("role", among: roles) else {
      throw .invalid("\(path).role", "\(path).role is missing; give user or another role")
    }
    let types = ["input_text", "output_text", "text"]
    guard let text = try MessageReader.text(&item, "content", types: types, unknown) else {
      throw .invalid("\(path).content", "\(path).content is missing; give a text")
    }
    item.accept("phase")
    return ChatMessage(role: role == "developer" ? "system" : role, text: text)
  }

  private func call(
    _ item: inout RequestFields, _ path: String
  ) throws(APIError) -> ChatMessage.ToolCall {
    guard let name = try item.string("name") else {
      throw .invalid("\(path).name", "\(path).name is missing")
    }
    return ChatMessage.ToolCall(
      id: try item.string("call_id"), name: name,
      arguments: try MessageReader.arguments(&item, "arguments"))
  }

  private func result(
    _ item: inout RequestFields, _ path: String
  ) throws(APIError) -> ChatMessage {
    let types = ["input_text", "output_text", "text"]
    guard let text = try MessageReader.text(&item, "output", types: types, unknown) else {
      throw .invalid("\(path).output", "\(path).output is missing; give a text")
    }
    return ChatMessage(
      role: "tool", content: .text(text), toolCallID: try item.string("call_id"))
  }

  private func thinking(_ item: inout RequestFields) throws(APIError) -> String? {
    let sealed = try item.string("encrypted_content").flatMap(ResponseRequest.unsealed)
    let text = try MessageReader.text(&item, "content", types: ["reasoning_text"], unknown)
    let summary = try MessageReader.text(&item, "summary", types: ["summary_text"], unknown)
    return [text, sealed, summary].compactMap(\.self).first { !$0.isEmpty }
  }
}
