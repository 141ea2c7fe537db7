/// One message of a conversation.
public struct Message: Hashable, Sendable, Codable {
  public enum Role: String, Hashable, Sendable, CaseIterable, Codable {
    case system, user, assistant
    /// What a tool has answered.
    case tool
  }

  public var role: Role
  public var text: String
  /// What the model said to itself before it answered.
  public var thinking: String?
  /// The calls in an answer of the model.
  public var toolCalls: [ToolCall]
  /// In a tool's message: the call that it answers.
  public var toolCallID: String?

  public init(
    _ role: Role, _ text: String, thinking: String? = nil, toolCalls: [ToolCall] = [],
    toolCallID: String? = nil
  ) {
    self.role = role
    self.text = text
    self.thinking = thinking
    self.toolCalls = toolCalls
    self.toolCallID = toolCallID
  }
}

/// A call that a model has written.
public struct ToolCall: Hashable, Sendable, Codable {
  /// Nil where the model gave none.
  public var id: String?
  public var name: String
  /// JSON, as the model wrote it.
  public var arguments: String
  /// What is wrong with the arguments by the tool's schema, in sentences.
  public var problems: [String]

  public init(id: String? = nil, name: String, arguments: String, problems: [String] = []) {
    self.id = id
    self.name = name
    self.arguments = arguments
    self.problems = problems
  }
}

/// A function that a model may call.
public struct Tool: Hashable, Sendable, Codable {
  public var name: String
  /// What it does, for the model.
  public var summary: String
  /// The JSON schema of its arguments: the schema of an object.
  public var parameters: String

  public init(name: String, summary: String, parameters: String) {
    self.name = name
    self.summary = summary
    self.parameters = parameters
  }
}
