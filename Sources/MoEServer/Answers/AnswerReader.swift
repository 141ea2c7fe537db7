import MoECore
import MoERuntime
import MoETemplates
import MoETokenizer

/// Reads the text of one answer as it is written.
struct AnswerReader {
  private var parser: OutputParser?
  private let tools: ToolUse
  private var probabilities: ContentTokens?
  /// Whether a call has come to its end.
  private(set) var hasToolCalls = false
  /// Whether the answer ended by having a call, where it may have only one.
  private(set) var isDone = false
  private var call: (name: String, arguments: String)?
  /// Whether the text has ended inside a call.
  private var isInCall = false

  init(_ request: AnswerRequest, tokenizer: Tokenizer) {
    switch request.reading {
    case .plain: (parser, tools) = (nil, .none)
    case .chat(let parser, let tools): (self.parser, self.tools) = (parser, tools)
    }
    if request.options.logProbabilityCount != nil { probabilities = ContentTokens(tokenizer) }
  }

  mutating func read(_ piece: TextPiece) throws(APIError) -> AnswerPiece {
    probabilities?.add(piece)
    let events: [OutputEvent] =
      if let found = parser?.consume(piece.text) {
        found
      } else {
        piece.text.isEmpty ? [] : [.content(piece.text)]
      }
    let output = try take(events)
    return AnswerPiece(output: output, probabilities: taken(output), token: piece.id)
  }

  /// What was held back. Throws where the model ended its text inside a call.
  mutating func finish(_ reason: FinishReason) throws(APIError) -> AnswerPiece {
    let output = try take(parser?.finish() ?? [])
    if reason == .end, isInCall {
      throw ToolUse.invalidCall("the model ended its answer inside a call")
    }
    return AnswerPiece(output: output, probabilities: taken(output))
  }

  private mutating func taken(_ events: [OutputEvent]) -> [ContentToken] {
    guard probabilities != nil else { return [] }
    var found: [ContentToken] = []
    for event in events {
      if case .content(let text) = event { found += probabilities?.take(text) ?? [] }
    }
    return found
  }

  private mutating func take(_ events: [OutputEvent]) throws(APIError) -> [OutputEvent] {
    var result: [OutputEvent] = []
    for event in events where !isDone {
      if tools.isEmpty {
        if let event = Self.withoutCall(event) { result.append(event) }
        continue
      }
      switch event {
      case .content, .thinking: break
      case .toolCallStarted(_, _, let name): call = (name, "")
      case .toolCallArguments(_, let text): call?.arguments += text
      case .toolCallEnded:
        if let call { try tools.check(name: call.name, arguments: call.arguments) }
        call = nil
        hasToolCalls = true
        isDone = !tools.isParallel
      case .toolCallIncomplete: (call, isInCall) = (nil, true)
      }
      result.append(event)
    }
    return result
  }

  /// A call that nobody offered is text: as JSON, without its markup.
  private static func withoutCall(_ event: OutputEvent) -> OutputEvent? {
    switch event {
    case .content, .thinking: event
    case .toolCallStarted(_, _, let name):
      .content("{\"name\": \(JSON.string(name).jsonText), \"arguments\": ")
    case .toolCallArguments(_, let text): .content(text)
    case .toolCallEnded: .content("}")
    case .toolCallIncomplete(_, let unread): unread.isEmpty ? nil : .content(unread)
    }
  }
}
