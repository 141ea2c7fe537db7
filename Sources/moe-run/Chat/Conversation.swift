import MoECore
import MoERuntime
import MoETemplates
import MoETokenizer

/// A conversation with a model: what was said, and the session that has read it.
final class Conversation {
  /// What an answer had in it.
  struct Answer {
    var content = ""
    var thinking = ""
    var calls: [Call] = []
    /// What is left of a call that did not come to its end.
    var unfinishedCall: String?
    var statistics = GenerationStatistics()
  }

  struct Call {
    var id: String?
    var name: String
    var arguments = ""
  }

  let engine: Engine
  let format: ChatFormat
  private let session: Session
  var options: GenerationOptions
  /// What the template is told besides the messages.
  var variables: [String: TemplateVariable]
  let tools: ChatTools
  private(set) var messages: [ChatMessage] = []
  /// Of the last answer.
  private(set) var statistics: GenerationStatistics?

  init(
    _ engine: Engine, format: ChatFormat, options: GenerationOptions, tools: ChatTools,
    variables: [String: TemplateVariable], system: String?
  ) {
    self.engine = engine
    self.format = format
    self.options = options
    self.tools = tools
    self.variables = variables
    session = engine.session()
    self.system = system
  }

  /// The system prompt, which stays when turns are dropped.
  var system: String? {
    get {
      guard let first = messages.first, first.role == "system",
        case .text(let text)? = first.content
      else { return nil }
      return text
    }
    set {
      if messages.first?.role == "system" { messages.removeFirst() }
      if let newValue { messages.insert(ChatMessage(role: "system", text: newValue), at: 0) }
    }
  }

  private var firstTurn: Int { messages.first?.role == "system" ? 1 : 0 }

  var isEmpty: Bool { messages.count == firstTurn }

  func add(_ message: ChatMessage) { messages.append(message) }

  func clear() { messages.removeSubrange(firstTurn...) }

  func load(_ messages: [ChatMessage]) { self.messages = messages }

  /// Takes back the last turn: what the user said last and all after it. Returns that text; nil
  /// where there is none.
  func undo() -> String? {
    guard let last = messages.lastIndex(where: { $0.role == "user" }) else { return nil }
    defer { messages.removeSubrange(last...) }
    guard case .text(let text)? = messages[last].content else { return "" }
    return text
  }

  /// Takes back the last answer; false where there is none.
  func takeBackAnswer() -> Bool {
    guard let last = messages.lastIndex(where: { $0.role == "user" }), last + 1 < messages.count
    else { return false }
    messages.removeSubrange((last + 1)...)
    return true
  }

  /// Drops the oldest turn, not the last one; false where there is no other.
  func dropOldestTurn() -> Bool {
    let turns = messages.indices.filter { messages[$0].role == "user" }
    guard turns.count > 1 else { return false }
    messages.removeSubrange(turns[0]..<turns[1])
    return true
  }

  /// Has the model answer, and adds that to the conversation.
  ///
  /// - Parameter each: Called with what comes, as it comes.
  func answer(_ each: (OutputEvent) throws -> Void) async throws -> Answer {
    let prompt = try format.prompt(messages, tools: tools.definitions, variables: variables)
    var options = options
    options.grammar = options.grammar?.beginning(behind: format.contentStart(after: prompt))
    options.addsSpecialTokens = format.wantsBeginToken(prompt)
    // Markers of thinking and calls are special tokens of many models.
    options.rendersSpecialTokens = true
    var parser = try format.parser(after: prompt, tools: tools.outputs)
    var answer = Answer()
    func take(_ events: [OutputEvent]) throws {
      for event in events {
        answer.add(event)
        try each(event)
      }
    }
    let generation = session.generate(prompt, options)
    Interruption.onFirstSignal { generation.stop() }
    for try await token in generation {
      ProgressBar.eraseAny()
      try take(parser.consume(token.text))
    }
    ProgressBar.eraseAny()
    try take(parser.finish())
    guard let statistics = generation.statistics else { throw CancellationError() }
    answer.statistics = statistics
    self.statistics = statistics
    messages.append(answer.message)
    return answer
  }
}

extension Conversation.Answer {
  fileprivate mutating func add(_ event: OutputEvent) {
    switch event {
    case .content(let text): content += text
    case .thinking(let text): thinking += text
    case .toolCallStarted(_, let id, let name):
      calls.append(Conversation.Call(id: id, name: name))
    case .toolCallArguments(_, let text):
      if !calls.isEmpty { calls[calls.count - 1].arguments += text }
    case .toolCallEnded: break
    case .toolCallIncomplete(_, let unread): unfinishedCall = unread
    }
  }

  fileprivate var message: ChatMessage {
    ChatMessage(
      role: "assistant", content: .text(content),
      reasoningContent: thinking.isEmpty ? nil : thinking,
      toolCalls: calls.map { call in
        ChatMessage.ToolCall(
          id: call.id, name: call.name,
          arguments: (try? JSON(text: call.arguments)) ?? .string(call.arguments))
      })
  }
}
