import MoECore
import MoERuntime
import MoETemplates

/// Writes an answer as OpenAI's responses: a list of items, each with its events.
struct ResponseEncoder: AnswerEncoder {
  private enum Kind {
    case thinking, message
    case call(id: String, name: String)

    var hasParts: Bool {
      if case .call = self { false } else { true }
    }
  }

  private struct Item {
    let id: String
    let kind: Kind
    var text = ""
    var probabilities: [ContentToken] = []
    var isWhole = true
  }

  private let id = Identifier.make("resp_")
  private let createdSeconds = HTTPDate.unixSeconds
  private let modelName: String
  private let repeated: [JSONMember]
  private let returnsThinking: Bool
  private let probabilities: LogProbabilityJSON
  private let seed: UInt64
  private var items: [Item] = []
  /// Whether the last item goes on.
  private var isOpen = false
  private var number = 0
  private var thinkingTokenCount = 0
  private var ending: AnswerEnd?

  init(_ answer: AnswerRequest, _ request: ResponseRequest, _ model: ServedModel) {
    modelName = model.name
    repeated = request.repeated
    returnsThinking = request.returnsThinking
    probabilities = LogProbabilityJSON(tokenizer: model.tokenizer)
    seed = answer.seed
  }

  // MARK: The response

  var json: JSON {
    switch ending?.finish {
    case nil: response("in_progress")
    case .length: response("incomplete")
    case .end, .stop, .cancelled: response("completed")
    }
  }

  private func response(_ status: String, error: JSON = .null) -> JSON {
    let usage = ending.map {
      AnswerUsage([$0]).responseJSON(thinkingTokenCount: thinkingTokenCount)
    }
    return .object(
      [
        JSONMember(name: "id", value: .string(id)),
        JSONMember(name: "object", value: "response"),
        JSONMember(name: "created_at", value: .integer(createdSeconds)),
        JSONMember(name: "status", value: .string(status)),
        JSONMember(name: "error", value: error),
        JSONMember(
          name: "incomplete_details",
          value: status == "incomplete" ? ["reason": "max_output_tokens"] : nil),
        JSONMember(name: "model", value: .string(modelName)),
        JSONMember(
          name: "output",
          value: .array(items.indices.map { json($0, isDone: !isOpen || $0 < items.count - 1) })),
        JSONMember(name: "previous_response_id", value: nil),
        JSONMember(name: "store", value: false),
        JSONMember(name: "usage", value: usage ?? nil),
        JSONMember(name: "seed", value: .number("\(seed)")),
      ] + repeated)
  }

  private func json(_ index: Int, isDone: Bool) -> JSON {
    let item = items[index]
    let status: JSON = isDone ? (item.isWhole ? "completed" : "incomplete") : "in_progress"
    switch item.kind {
    case .thinking:
      return .members([
        "id": .string(item.id), "type": "reasoning", "summary": [],
        "content": item.text.isEmpty ? [] : [part(item)],
        "encrypted_content": returnsThinking && isDone
          ? .string(ResponseRequest.sealed(item.text)) : nil,
        "status": status,
      ])
    case .message:
      return [
        "id": .string(item.id), "type": "message", "status": status, "role": "assistant",
        "content": isDone ? [part(item)] : [],
      ]
    case .call(let id, let name):
      return [
        "id": .string(item.id), "type": "function_call", "status": status,
        "call_id": .string(id), "name": .string(name), "arguments": .string(item.text),
      ]
    }
  }

  private func part(_ item: Item) -> JSON {
    if case .thinking = item.kind {
      return ["type": "reasoning_text", "text": .string(item.text)]
    }
    return [
      "type": "output_text", "text": .string(item.text), "annotations": [],
      "logprobs": .array(item.probabilities.map(probabilities.chat)),
    ]
  }

  func json(
    of events: AsyncThrowingStream<AnswerEvent, any Error>, count: Int, scope: RequestScope
  ) async throws -> JSON {
    try await finished(events, scope: scope).json
  }

  // MARK: Its events

  private mutating func event(_ type: String, _ members: JSON) -> ServerSentEvent {
    defer { number += 1 }
    guard case .object(let members) = members else { return .comment(type) }
    return .data(
      .object(
        [
          JSONMember(name: "type", value: .string(type)),
          JSONMember(name: "sequence_number", value: .integer(number)),
        ] + members), name: type)
  }

  mutating func begin() -> [ServerSentEvent] {
    [
      event("response.created", ["response": json]),
      event("response.in_progress", ["response": json]),
    ]
  }

  mutating func encode(_ event: AnswerEvent) -> [ServerSentEvent] {
    switch event {
    case .tick, .progress: return []
    case .piece(_, let piece):
      if piece.output.contains(where: { if case .thinking = $0 { true } else { false } }) {
        thinkingTokenCount += 1
      }
      var rest = piece.probabilities
      return piece.output.flatMap { output -> [ServerSentEvent] in
        defer { if case .content = output { rest = [] } }
        return add(output, rest)
      }
    case .end(_, let end):
      ending = end
      return close(isWhole: end.finish != .length)
    }
  }

  private mutating func add(
    _ output: OutputEvent, _ tokens: [ContentToken]
  ) -> [ServerSentEvent] {
    switch output {
    case .content(let text):
      var events = open(.message, "msg_")
      items[items.count - 1].text += text
      items[items.count - 1].probabilities += tokens
      events.append(
        event(
          "response.output_text.delta",
          place.adding([
            "content_index": 0, "delta": .string(text),
            "logprobs": .array(tokens.map(probabilities.chat)),
          ])))
      return events
    case .thinking(let text):
      var events = open(.thinking, "rs_")
      items[items.count - 1].text += text
      events.append(
        event(
          "response.reasoning_text.delta",
          place.adding(["content_index": 0, "delta": .string(text)])))
      return events
    case .toolCallStarted(_, let id, let name):
      return close(isWhole: true)
        + open(.call(id: id ?? Identifier.toolCall(), name: name), "fc_")
    case .toolCallArguments(_, let text):
      guard isOpen, case .call? = items.last?.kind else { return [] }
      items[items.count - 1].text += text
      return [
        event(
          "response.function_call_arguments.delta", place.adding(["delta": .string(text)]))
      ]
    case .toolCallEnded: return close(isWhole: true)
    case .toolCallIncomplete: return close(isWhole: false)
    }
  }

  /// Where the last item is.
  private var place: JSON {
    [
      "item_id": .string(items.last?.id ?? ""), "output_index": .integer(items.count - 1),
    ]
  }

  /// Makes an item of a kind the last one, which it may be already.
  private mutating func open(_ kind: Kind, _ prefix: String) -> [ServerSentEvent] {
    if isOpen, let last = items.last {
      switch (last.kind, kind) {
      case (.thinking, .thinking), (.message, .message): return []
      default: break
      }
    }
    var events = close(isWhole: true)
    items.append(Item(id: Identifier.make(prefix), kind: kind))
    isOpen = true
    events.append(
      event(
        "response.output_item.added",
        [
          "output_index": .integer(items.count - 1), "item": json(items.count - 1, isDone: false),
        ]))
    if !kind.hasParts { return events }
    events.append(
      event(
        "response.content_part.added",
        place.adding(["content_index": 0, "part": part(items[items.count - 1])])))
    return events
  }

  /// Ends the last item, where it goes on.
  private mutating func close(isWhole: Bool) -> [ServerSentEvent] {
    guard isOpen, let item = items.last else { return [] }
    isOpen = false
    items[items.count - 1].isWhole = isWhole
    var events: [ServerSentEvent] = []
    switch item.kind {
    case .thinking:
      events.append(
        event(
          "response.reasoning_text.done",
          place.adding(["content_index": 0, "text": .string(item.text)])))
    case .message:
      events.append(
        event(
          "response.output_text.done",
          place.adding([
            "content_index": 0, "text": .string(item.text),
            "logprobs": .array(item.probabilities.map(probabilities.chat)),
          ])))
    case .call(_, let name):
      events.append(
        event(
          "response.function_call_arguments.done",
          place.adding(["name": .string(name), "arguments": .string(item.text)])))
    }
    if item.kind.hasParts {
      events.append(
        event(
          "response.content_part.done", place.adding(["content_index": 0, "part": part(item)])))
    }
    events.append(
      event(
        "response.output_item.done",
        [
          "output_index": .integer(items.count - 1), "item": json(items.count - 1, isDone: true),
        ]))
    return events
  }

  mutating func end() -> [ServerSentEvent] {
    let isCut = ending?.finish == .length
    return [event(isCut ? "response.incomplete" : "response.completed", ["response": json])]
  }

  mutating func fail(_ error: APIError) -> [ServerSentEvent] {
    let details: JSON = [
      "code": .string(error.code ?? error.type), "message": .string(error.message),
    ]
    return [
      event("response.failed", ["response": response("failed", error: details)]),
      event(
        "error",
        error.json.adding([
          "code": .text(error.code), "message": .string(error.message),
          "param": .text(error.parameter),
        ])),
    ]
  }
}
