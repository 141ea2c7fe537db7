package import MoECore

/// One message of a conversation, with the members that chat templates look at.
package struct ChatMessage: Hashable, Sendable {
  package enum Content: Hashable, Sendable {
    case text(String)
    /// Objects with a `type`, as chat interfaces have them; see `textPart`.
    case parts([JSON])

    /// The part that is a text.
    package static func textPart(_ text: String) -> JSON {
      .object([
        JSONMember(name: "type", value: .string("text")),
        JSONMember(name: "text", value: .string(text)),
      ])
    }
  }

  package struct ToolCall: Hashable, Sendable {
    package var id: String?
    package var name: String
    /// Usually an object; a string where arguments are passed on as their own JSON text.
    package var arguments: JSON

    package init(id: String? = nil, name: String, arguments: JSON) {
      self.id = id
      self.name = name
      self.arguments = arguments
    }
  }

  package var role: String
  /// Nil where the message has no such member: templates see it undefined.
  package var content: Content?
  package var reasoningContent: String?
  package var toolCalls: [ToolCall]
  package var toolCallID: String?
  package var name: String?
  /// Members that only some templates know; they replace members of the same name. Those that are
  /// null are left out.
  package var otherMembers: [JSONMember]

  package init(
    role: String, content: Content? = nil, reasoningContent: String? = nil,
    toolCalls: [ToolCall] = [], toolCallID: String? = nil, name: String? = nil,
    otherMembers: [JSONMember] = []
  ) {
    self.role = role
    self.content = content
    self.reasoningContent = reasoningContent
    self.toolCalls = toolCalls
    self.toolCallID = toolCallID
    self.name = name
    self.otherMembers = otherMembers
  }

  package init(role: String, text: String) { self.init(role: role, content: .text(text)) }
}

extension ChatMessage {
  /// The message as transformers shows it to templates: members that it lacks or that are null are
  /// not there, for many templates would print them; and reasoning is there by the two names that
  /// templates read, whichever of three it came by.
  var json: JSON {
    var members = [JSONMember(name: "role", value: .string(role))]
    func add(_ name: String, _ value: JSON?) {
      if let value { members.append(JSONMember(name: name, value: value)) }
    }
    switch content {
    case .text(let text): add("content", .string(text))
    case .parts(let parts): add("content", .array(parts))
    case nil: break
    }
    add("reasoning_content", reasoningContent.map(JSON.string))
    if !toolCalls.isEmpty { add("tool_calls", .array(toolCalls.map(\.json))) }
    add("tool_call_id", toolCallID.map(JSON.string))
    add("name", name.map(JSON.string))
    members += otherMembers.filter { $0.value != .null }
    let object = JSON.object(members)
    let reasoning = ["reasoning_content", "thinking", "reasoning"].lazy.compactMap { object[$0] }
    guard let reasoning = reasoning.first else { return object }
    members.insert(JSONMember(name: "thinking", value: reasoning), at: 0)
    add("reasoning_content", reasoning)
    return .object(members)
  }
}

extension ChatMessage.ToolCall {
  var json: JSON {
    let function = JSON.object([
      JSONMember(name: "name", value: .string(name)),
      JSONMember(name: "arguments", value: arguments),
    ])
    var members: [JSONMember] = []
    if let id { members.append(JSONMember(name: "id", value: .string(id))) }
    members.append(JSONMember(name: "type", value: .string("function")))
    members.append(JSONMember(name: "function", value: function))
    return .object(members)
  }
}
