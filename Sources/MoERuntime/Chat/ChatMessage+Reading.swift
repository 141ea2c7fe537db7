import MoECore
package import MoETemplates

extension ChatMessage {
  /// Messages as chat interfaces write them: one, or a list.
  ///
  /// - Parameter name: What messages call the text.
  /// - Throws: `EngineError.template` where the text is something else.
  package static func list(json text: String, of name: String) throws(EngineError) -> [ChatMessage]
  {
    let json: JSON
    do {
      json = try JSON(text: text)
    } catch {
      throw .template("\(name) is no JSON: \(error)")
    }
    let list = if case .array(let elements) = json { elements } else { [json] }
    return try list.map { element throws(EngineError) in
      try message(element, of: name)
    }
  }

  private static func message(_ json: JSON, of name: String) throws(EngineError) -> ChatMessage {
    guard let role = json["role"]?.string else {
      throw .template("a message in \(name) has no role; give {\"role\": …, \"content\": …}")
    }
    var message = ChatMessage(role: role)
    switch json["content"] {
    case .string(let text)?: message.content = .text(text)
    case .array(let parts)?: message.content = .parts(parts)
    case .null?, nil: break
    default:
      throw .template("the content of a message in \(name) is neither a text nor a list of parts")
    }
    message.reasoningContent = json["reasoning_content"]?.string
    message.toolCallID = json["tool_call_id"]?.string
    message.name = json["name"]?.string
    if case .array(let calls)? = json["tool_calls"] {
      message.toolCalls = calls.compactMap(call)
    }
    return message
  }

  /// Arguments come as a text with JSON in it, or as that JSON.
  private static func call(_ json: JSON) -> ToolCall? {
    guard let function = json["function"], let name = function["name"]?.string else { return nil }
    var arguments = function["arguments"] ?? .object([])
    if let text = arguments.string, let inner = try? JSON(text: text) { arguments = inner }
    return ToolCall(id: json["id"]?.string, name: name, arguments: arguments)
  }
}
