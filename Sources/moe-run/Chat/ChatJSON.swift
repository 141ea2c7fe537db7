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
    do {
      return try ChatMessage.list(json: text, of: name)
    } catch {
      throw .runtime(error.description)
    }
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
    case .parts(let parts)?: content = parts.compactMap { $0["text"]?.string }.joined()
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
              name: call.name, arguments: call.arguments.string ?? call.arguments.jsonText))
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
