import FoundationEssentials
import MoECore
import MoERuntime
import MoETemplates

/// Messages as chat interfaces write them, read and written.
enum ChatJSON {
  /// What `--json` writes for an answer, and `/save` for each message.
  private struct Message: Encodable {
    struct Call: Encodable {
      struct Function: Encodable {
        let name: String
        let arguments: String
      }

      let id: String?
      let type = "function"
      let function: Function
    }

    let role: String
    let content: String?
    let reasoningContent: String?
    let toolCalls: [Call]?
    let toolCallId: String?
    let name: String?
    let finishReason: String?
  }

  /// One message, or a list of them. Throws where the text is something else.
  static func messages(_ text: String, of name: String) throws(Failure) -> [ChatMessage] {
    let json: JSON
    do {
      json = try JSON(text: text)
    } catch {
      throw .runtime("\(name) is no JSON: \(error)")
    }
    let list = if case .array(let elements) = json { elements } else { [json] }
    return try list.map { element throws(Failure) in
      guard case .string(let role)? = element["role"] else {
        throw .runtime("a message in \(name) has no role; give {\"role\": …, \"content\": …}")
      }
      var message = ChatMessage(role: role)
      switch element["content"] {
      case .string(let text)?: message.content = .text(text)
      case .array(let parts)?: message.content = .parts(parts)
      case .null?, nil: break
      default:
        throw .runtime("the content of a message in \(name) is neither a text nor a list of parts")
      }
      message.reasoningContent = element["reasoning_content"]?.text
      message.toolCallID = element["tool_call_id"]?.text
      message.name = element["name"]?.text
      if case .array(let calls)? = element["tool_calls"] {
        message.toolCalls = calls.compactMap(call)
      }
      return message
    }
  }

  /// Arguments come as a text with JSON in it, or as that JSON.
  private static func call(_ json: JSON) -> ChatMessage.ToolCall? {
    guard let function = json["function"], let name = function["name"]?.text else { return nil }
    var arguments = function["arguments"] ?? .object([])
    if let text = arguments.text, let inner = try? JSON(text: text) { arguments = inner }
    return ChatMessage.ToolCall(id: json["id"]?.text, name: name, arguments: arguments)
  }

  static func text(_ messages: [ChatMessage]) throws -> String {
    try encode(messages.map { message($0, finish: nil) }, isPretty: true)
  }

  /// An answer, as a line.
  static func line(_ message: ChatMessage, finish: FinishReason) throws -> String {
    let reason =
      switch finish {
      case .end where !message.toolCalls.isEmpty: "tool_calls"
      case .end, .stop: "stop"
      case .length: "length"
      case .cancelled: "cancelled"
      }
    return try encode(Self.message(message, finish: reason), isPretty: false)
  }

  private static func message(_ message: ChatMessage, finish: String?) -> Message {
    var content: String?
    switch message.content {
    case .text(let text)?: content = text
    case .parts(let parts)?: content = parts.compactMap { $0["text"]?.text }.joined()
    case nil: break
    }
    return Message(
      role: message.role, content: content, reasoningContent: message.reasoningContent,
      toolCalls: message.toolCalls.isEmpty
        ? nil
        : message.toolCalls.map { call in
          Message.Call(
            id: call.id,
            function: .init(
              name: call.name, arguments: call.arguments.text ?? call.arguments.jsonText))
        }, toolCallId: message.toolCallID, name: message.name, finishReason: finish)
  }

  private static func encode(_ value: some Encodable, isPretty: Bool) throws -> String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting =
      isPretty
      ? [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      : [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
  }
}

extension JSON {
  fileprivate var text: String? {
    if case .string(let text) = self { text } else { nil }
  }
}
