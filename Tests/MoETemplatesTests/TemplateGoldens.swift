import Foundation
import MoECore
import MoETemplates
import Testing

/// The conversations and renderings that transformers made (shared goldens, folder `templates`).
struct TemplateGoldens {
  struct Family: Sendable, CustomTestStringConvertible {
    let name: String
    let source: String
    let variables: [String: TemplateVariable]
    /// By the conversation's name, with `+prompt` where the answer's beginning follows.
    let rendered: [JSONMember]

    var testDescription: String { name }
  }

  struct Conversation: Sendable {
    let messages: [ChatMessage]
    let tools: [ToolDefinition]?
  }

  let families: [Family]
  let conversations: [String: Conversation]
  let date: Date

  /// Read once. Without the folder the running test is cancelled, or fails under continuous
  /// integration.
  static func load() throws -> TemplateGoldens { try TemplateGoldens(folder: try folder()) }

  private static func folder() throws -> URL {
    let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let environment = ProcessInfo.processInfo.environment
    let root =
      environment["MOE_GOLDENS"].map { URL(fileURLWithPath: $0, isDirectory: true) }
      ?? package.appendingPathComponent("../shared/goldens").standardizedFileURL
    let folder = root.appendingPathComponent("templates")
    if FileManager.default.fileExists(atPath: folder.path) { return folder }
    let problem = "no folder \(folder.path); set MOE_GOLDENS to the folder of shared goldens"
    if !(environment["CI"] ?? "").isEmpty { throw MissingTemplates(description: problem) }
    try Test.cancel("\(problem)")
  }

  private init(folder: URL) throws {
    func json(_ name: String) throws -> JSON {
      let url = folder.appendingPathComponent(name)
      return try JSON(text: try String(contentsOf: url, encoding: .utf8))
    }
    let index = try json("index.json")
    let day = try #require(index["strftime_now_date"]?.string)
    date = try #require(try? Date("\(day)T12:00:00Z", strategy: .iso8601))
    var conversations: [String: Conversation] = [:]
    for member in index["conversations"]?.members ?? [] {
      let messages = (member.value["messages"]?.elements ?? []).map(ChatMessage.init(golden:))
      let tools = member.value["tools"]?.elements?.map { ToolDefinition(json: $0) }
      conversations[member.name] = Conversation(messages: messages, tools: tools)
    }
    self.conversations = conversations
    var families: [Family] = []
    for member in index["templates"]?.members ?? [] {
      let file = try #require(member.value["file"]?.string)
      let rendered = try json(try #require(member.value["rendered"]?.string))
      var variables: [String: TemplateVariable] = [:]
      for name in ["bos_token", "eos_token"] {
        if let token = rendered[name], token != .null { variables[name] = .trusted(token) }
      }
      let source = try String(
        contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
      families.append(
        Family(
          name: member.name, source: source, variables: variables,
          rendered: rendered["rendered"]?.members ?? []))
    }
    self.families = families
  }
}

private struct MissingTemplates: Error, CustomStringConvertible {
  let description: String
}

extension ChatMessage {
  /// A message as chat interfaces have it; what has no place of its own is kept as it is.
  init(golden json: JSON) {
    var others: [JSONMember] = []
    var message = ChatMessage(role: json["role"]?.string ?? "")
    for member in json.members ?? [] {
      switch (member.name, member.value) {
      case ("role", _): break
      case ("content", .string(let text)): message.content = .text(text)
      case ("content", .array(let parts)): message.content = .parts(parts)
      case ("reasoning_content", .string(let text)): message.reasoningContent = text
      case ("tool_call_id", .string(let id)): message.toolCallID = id
      case ("name", .string(let name)): message.name = name
      case ("tool_calls", .array(let calls)):
        message.toolCalls = calls.map { call in
          ToolCall(
            id: call["id"]?.string, name: call["function"]?["name"]?.string ?? "",
            arguments: call["function"]?["arguments"] ?? .null)
        }
      default: others.append(member)
      }
    }
    message.otherMembers = others
    self = message
  }
}

extension JSON {
  var string: String? { if case .string(let string) = self { string } else { nil } }

  var elements: [JSON]? { if case .array(let elements) = self { elements } else { nil } }

  var members: [JSONMember]? {
    if case .object(let members) = self { members } else { nil }
  }
}
