import MoECore
import MoERuntime
import MoETemplates

/// Writes an answer as Anthropic's messages: a list of blocks, each with its events.
struct MessageEncoder: AnswerEncoder {
  private enum Kind {
    case text, thinking
    case call(id: String, name: String)
  }

  private struct Block {
    let kind: Kind
    var text = ""
  }

  private let id = Identifier.make("msg_")
  private let modelName: String
  private let promptTokenCount: Int
  private var blocks: [Block] = []
  private var isOpen = false
  private var ending: AnswerEnd?

  init(_ answer: AnswerRequest, _ model: ServedModel) {
    modelName = model.name
    promptTokenCount = answer.prompts.first?.count ?? 0
  }

  /// The message as far as it has come.
  var json: JSON {
    [
      "id": .string(id), "type": "message", "role": "assistant", "model": .string(modelName),
      "content": .array(blocks.map(json)), "stop_reason": stopReason,
      "stop_sequence": stopSequence, "usage": usage.messageJSON,
    ]
  }

  private var usage: AnswerUsage {
    if let ending { return AnswerUsage([ending]) }
    var usage = AnswerUsage()
    usage.promptTokenCount = promptTokenCount
    return usage
  }

  private var stopReason: JSON {
    guard let end = ending else { return nil }
    switch end.finish {
    case .length: return "max_tokens"
    case .stop where !end.hasToolCalls: return "stop_sequence"
    case .end, .stop, .cancelled: return end.hasToolCalls ? "tool_use" : "end_turn"
    }
  }

  private var stopSequence: JSON {
    if case .stop(let text)? = ending?.finish { .string(text) } else { nil }
  }

  private func json(_ block: Block) -> JSON {
    switch block.kind {
    case .text: ["type": "text", "text": .string(block.text)]
    case .thinking: ["type": "thinking", "thinking": .string(block.text), "signature": ""]
    case .call(let id, let name):
      [
        "type": "tool_use", "id": .string(id), "name": .string(name),
        "input": (try? JSON(text: block.text)) ?? [:],
      ]
    }
  }

  private func event(_ type: String, _ members: KeyValuePairs<String, JSON?>) -> ServerSentEvent {
    .data(JSON.members(["type": .string(type)]).adding(members), name: type)
  }

  func json(
    of events: AsyncThrowingStream<AnswerEvent, any Error>, count: Int, scope: RequestScope
  ) async throws -> JSON {
    try await finished(events, scope: scope).json
  }

  mutating func begin() -> [ServerSentEvent] { [event("message_start", ["message": json])] }

  mutating func encode(_ event: AnswerEvent) -> [ServerSentEvent] {
    switch event {
    case .tick, .progress: return []
    case .piece(_, let piece): return piece.output.flatMap { add($0) }
    case .end(_, let end):
      ending = end
      return close()
    }
  }

  private mutating func add(_ output: OutputEvent) -> [ServerSentEvent] {
    switch output {
    case .content(let text):
      let events = open(.text)
      return events + delta(text, ["type": "text_delta", "text": .string(text)])
    case .thinking(let text):
      let events = open(.thinking)
      return events + delta(text, ["type": "thinking_delta", "thinking": .string(text)])
    case .toolCallStarted(_, let id, let name):
      return close() + open(.call(id: id ?? Identifier.make("toolu_"), name: name))
    case .toolCallArguments(_, let text):
      guard isOpen, case .call? = blocks.last?.kind else { return [] }
      return delta(text, ["type": "input_json_delta", "partial_json": .string(text)])
    case .toolCallEnded: return close()
    case .toolCallIncomplete:
      let events = close()
      // What was not finished can't be called.
      if case .call? = blocks.last?.kind { blocks.removeLast() }
      return events
    }
  }

  private mutating func delta(_ text: String, _ json: JSON) -> [ServerSentEvent] {
    blocks[blocks.count - 1].text += text
    return [
      event("content_block_delta", ["index": .integer(blocks.count - 1), "delta": json])
    ]
  }

  /// Makes a block of a kind the last one, which it may be already.
  private mutating func open(_ kind: Kind) -> [ServerSentEvent] {
    if isOpen, let last = blocks.last {
      switch (last.kind, kind) {
      case (.text, .text), (.thinking, .thinking): return []
      default: break
      }
    }
    let events = close()
    let block = Block(kind: kind)
    blocks.append(block)
    isOpen = true
    return events + [
      event(
        "content_block_start",
        ["index": .integer(blocks.count - 1), "content_block": json(block)])
    ]
  }

  private mutating func close() -> [ServerSentEvent] {
    guard isOpen else { return [] }
    isOpen = false
    return [event("content_block_stop", ["index": .integer(blocks.count - 1)])]
  }

  mutating func end() -> [ServerSentEvent] {
    [
      event(
        "message_delta",
        [
          "delta": ["stop_reason": stopReason, "stop_sequence": stopSequence],
          "usage": usage.messageJSON,
        ]),
      event("message_stop", [:]),
    ]
  }

  mutating func fail(_ error: APIError) -> [ServerSentEvent] {
    [.data(AnthropicError.json(error), name: "error")]
  }
}
