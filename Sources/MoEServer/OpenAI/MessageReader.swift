import MoECore
import MoETemplates

/// Reads messages as OpenAI's chat completions have them.
struct MessageReader {
  let unknown: UnknownFields

  private static let roles = ["system", "developer", "user", "assistant", "tool"]

  func messages(_ fields: inout RequestFields) throws(APIError) -> [ChatMessage] {
    guard let value = fields.value("messages") else {
      throw .invalid("messages", "messages is missing; give a list of at least one message")
    }
    guard case .array(let elements) = value else {
      throw fields.wrong("messages", wanted: "a list of messages", value)
    }
    guard !elements.isEmpty else {
      throw .invalid("messages", "messages is empty; give at least one message")
    }
    var messages: [ChatMessage] = []
    for (index, element) in elements.enumerated() {
      messages.append(try message(element, at: "messages[\(index)]"))
    }
    return messages
  }

  private func message(_ json: JSON, at path: String) throws(APIError) -> ChatMessage {
    var fields = try RequestFields(json, at: path, unknown: unknown)
    defer { fields.finish() }
    guard let role = try fields.word("role", among: Self.roles) else {
      throw .invalid("\(path).role", "\(path).role is missing; give user or another role")
    }
    var message = ChatMessage(role: role == "developer" ? "system" : role)
    if let text = try content(&fields) { message.content = .text(text) }
    message.name = try fields.string("name")
    message.toolCallID = try fields.string("tool_call_id")
    if role == "assistant" {
      let other = try fields.string("reasoning")
      message.reasoningContent = try fields.string("reasoning_content") ?? other
      message.toolCalls = try calls(&fields)
      fields.accept("refusal", "annotations")
      try fields.refuse("audio", because: "messages are texts")
      try fields.refuse("function_call", because: "give tool_calls instead")
    }
    let mayLackContent = !message.toolCalls.isEmpty || message.reasoningContent != nil
    guard message.content != nil || mayLackContent else {
      throw .invalid("\(path).content", "\(path).content is missing; give a text")
    }
    // Many templates join the content with something, whether or not there is one.
    message.content = message.content ?? .text("")
    return message
  }

  /// A text, or the joined texts of parts.
  private func content(_ fields: inout RequestFields) throws(APIError) -> String? {
    try Self.text(&fields, "content", types: ["text"], unknown)
  }

  /// - Parameter types: Of the parts that are texts.
  static func text(
    _ fields: inout RequestFields, _ name: String, types: [String], _ unknown: UnknownFields
  ) throws(APIError) -> String? {
    guard let value = fields.value(name) else { return nil }
    if let text = value.string { return text }
    guard case .array(let parts) = value else {
      throw fields.wrong(name, wanted: "a text or a list of parts", value)
    }
    var text = ""
    for (index, part) in parts.enumerated() {
      let path = "\(fields.path(of: name))[\(index)]"
      var part = try RequestFields(part, at: path, unknown: unknown)
      let type = try part.string("type") ?? ""
      guard types.contains(type) else {
        throw .unsupported(
          "\(path).type",
          "\(path).type is \(type.quotedForMessage); of parts only texts are taken ("
            + types.joined(separator: ", ") + ")")
      }
      guard let piece = try part.string("text") else {
        throw .invalid("\(path).text", "\(path).text is missing")
      }
      text += piece
      part.accept("cache_control", "annotations", "logprobs")
      part.finish()
    }
    return text
  }

  private func calls(
    _ fields: inout RequestFields
  ) throws(APIError) -> [ChatMessage.ToolCall] {
    guard let elements = try fields.array("tool_calls") else { return [] }
    var calls: [ChatMessage.ToolCall] = []
    for (index, element) in elements.enumerated() {
      let path = "\(fields.path(of: "tool_calls"))[\(index)]"
      var call = try RequestFields(element, at: path, unknown: unknown)
      _ = try call.word("type", among: ["function"])
      call.accept("index")
      let id = try call.string("id")
      guard var function = try call.object("function"), let name = try function.string("name")
      else { throw .invalid("\(path).function.name", "\(path).function.name is missing") }
      let arguments = try Self.arguments(&function, "arguments")
      function.finish()
      call.finish()
      calls.append(ChatMessage.ToolCall(id: id, name: name, arguments: arguments))
    }
    return calls
  }

  /// Arguments come as a text with JSON in it, or as that JSON.
  static func arguments(
    _ fields: inout RequestFields, _ name: String
  ) throws(APIError) -> JSON {
    guard let value = fields.value(name) else { return .object([]) }
    switch value {
    case .object: return value
    case .string(let text): return (try? JSON(text: text)) ?? value
    default: throw fields.wrong(name, wanted: "a text that is JSON", value)
    }
  }
}
