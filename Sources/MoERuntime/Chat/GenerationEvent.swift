package import MoETemplates

/// What comes of an answer, in the order in which it comes.
public enum GenerationEvent: Sendable, Equatable {
  /// A piece of the answer itself; never ends inside a character.
  case text(String)
  /// A piece of what the model says to itself first.
  case thinking(String)
  /// A call, all of which is there.
  case toolCall(ToolCall)
  /// What is left of a call where the answer ended before the call did.
  case unfinishedCall(String)
  /// The last event: why the answer ended, and what it cost.
  case finish(FinishReason, GenerationStatistics)
}

/// The events of an answer, as they are made.
public struct GenerationEvents: AsyncSequence, Sendable {
  public typealias Element = GenerationEvent
  public typealias Failure = EngineError

  let generation: Generation
  let parser: OutputParser
  let tools: [OutputTool]

  public func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(
      tokens: generation.makeAsyncIterator(), generation: generation,
      reader: EventReader(parser: parser, tools: tools))
  }

  public struct AsyncIterator: AsyncIteratorProtocol {
    var tokens: Generation.AsyncIterator
    let generation: Generation
    var reader: EventReader
    private var waiting: ArraySlice<GenerationEvent> = []
    private var hasEnded = false

    init(tokens: Generation.AsyncIterator, generation: Generation, reader: EventReader) {
      self.tokens = tokens
      self.generation = generation
      self.reader = reader
    }

    public mutating func next() async throws(EngineError) -> GenerationEvent? {
      try await next(isolation: #isolation)
    }

    public mutating func next(
      isolation actor: isolated (any Actor)?
    ) async throws(EngineError) -> GenerationEvent? {
      while waiting.isEmpty {
        if hasEnded { return nil }
        if let token = try await tokens.next(isolation: actor) {
          waiting = reader.read(token.text)[...]
        } else {
          hasEnded = true
          waiting = reader.finish()[...]
          if let statistics = generation.statistics {
            waiting.append(.finish(statistics.finish, statistics))
          }
        }
      }
      return waiting.popFirst()
    }
  }

  /// Ends the answer after the layer that is being computed; the events then end as usual. Safe
  /// from any thread.
  public func stop() { generation.stop() }
}

/// Joins what a parser tells of calls, and checks their arguments.
package struct EventReader: Sendable {
  private var parser: OutputParser
  private let tools: [OutputTool]
  private var call: ToolCall?

  package init(parser: OutputParser, tools: [OutputTool]) {
    self.parser = parser
    self.tools = tools
  }

  package mutating func read(_ text: String) -> [GenerationEvent] {
    parser.consume(text).compactMap { event($0) }
  }

  package mutating func finish() -> [GenerationEvent] {
    parser.finish().compactMap { event($0) }
  }

  private mutating func event(_ event: OutputEvent) -> GenerationEvent? {
    switch event {
    case .content(let text): return .text(text)
    case .thinking(let text): return .thinking(text)
    case .toolCallStarted(_, let id, let name):
      call = ToolCall(id: id, name: name, arguments: "")
    case .toolCallArguments(_, let text): call?.arguments += text
    case .toolCallEnded:
      guard var ended = call else { return nil }
      call = nil
      if let tool = tools.first(where: { $0.name == ended.name }) {
        ended.problems = tool.problems(arguments: ended.arguments)
      } else {
        ended.problems = ["No tool is called '\(ended.name)'."]
      }
      return .toolCall(ended)
    case .toolCallIncomplete(_, let unread):
      let begun = call.map { "\($0.name) \($0.arguments)" } ?? ""
      call = nil
      return .unfinishedCall(begun + unread)
    }
    return nil
  }
}
