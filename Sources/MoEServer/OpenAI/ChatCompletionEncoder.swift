import MoECore
import MoERuntime
import MoETemplates

/// Writes answers as OpenAI's chat completions.
struct ChatCompletionEncoder: AnswerEncoder {
  private let id = Identifier.make("chatcmpl-")
  private let createdSeconds = HTTPDate.unixSeconds
  private let modelName: String
  private let includesUsage: Bool
  private let choiceCount: Int
  private let hasProbabilities: Bool
  private let probabilities: LogProbabilityJSON
  private let seed: UInt64
  private var ends: [AnswerEnd] = []

  init(_ request: AnswerRequest, _ model: ServedModel, includesUsage: Bool) {
    modelName = model.name
    self.includesUsage = includesUsage
    choiceCount = request.textCount
    hasProbabilities = request.options.logProbabilityCount != nil
    probabilities = LogProbabilityJSON(tokenizer: model.tokenizer)
    seed = request.seed
  }

  // MARK: As a whole

  func json(_ answers: [FinishedAnswer]) -> JSON {
    [
      "id": .string(id), "object": "chat.completion", "created": .integer(createdSeconds),
      "model": .string(modelName), "system_fingerprint": "moe-run",
      "choices": .array(
        answers.enumerated().map { index, answer in
          [
            "index": .integer(index), "message": message(answer),
            "logprobs": hasProbabilities ? logprobs(answer.probabilities) : nil,
            "finish_reason": .string(answer.end.reason),
          ]
        }),
      "usage": AnswerUsage(answers.map(\.end)).completionJSON,
      "seed": .number("\(seed)"),
    ]
  }

  private func message(_ answer: FinishedAnswer) -> JSON {
    let lacksContent = answer.content.isEmpty && !answer.calls.isEmpty
    return .members([
      "role": "assistant", "content": lacksContent ? .null : .string(answer.content),
      "reasoning_content": answer.thinking.isEmpty ? nil : .string(answer.thinking),
      "tool_calls": answer.calls.isEmpty
        ? nil
        : .array(
          answer.calls.map { call in
            [
              "id": .string(call.id), "type": "function",
              "function": [
                "name": .string(call.name), "arguments": .string(call.arguments),
              ],
            ]
          }),
    ])
  }

  private func logprobs(_ tokens: [ContentToken]) -> JSON {
    ["content": .array(tokens.map(probabilities.chat)), "refusal": nil]
  }

  func json(
    of events: AsyncThrowingStream<AnswerEvent, any Error>, count: Int, scope: RequestScope
  ) async throws -> JSON {
    json(try await FinishedAnswer.collect(events, count: count, scope: scope))
  }

  // MARK: In a stream

  mutating func begin() -> [ServerSentEvent] {
    (0..<choiceCount).map { chunk($0, delta: ["role": "assistant", "content": ""]) }
  }

  mutating func encode(_ event: AnswerEvent) -> [ServerSentEvent] {
    switch event {
    case .tick: return []
    case .progress(let progress):
      return [
        .data(
          chunkJSON(0, delta: [:]).adding([
            "prompt_progress": [
              "total": .integer(progress.totalCount), "cache": .integer(progress.cachedCount),
              "processed": .integer(progress.processedCount),
              "time_ms": .integer(Int(progress.milliseconds)),
            ]
          ]))
      ]
    case .piece(let choice, let piece):
      var probabilities = piece.probabilities
      return piece.output.compactMap { event in
        guard let delta = delta(event) else { return nil }
        var logprobs = JSON.null
        if case .content = event, hasProbabilities {
          logprobs = self.logprobs(probabilities)
          probabilities = []
        }
        return chunk(choice, delta: delta, logprobs: logprobs)
      }
    case .end(let choice, let end):
      ends.append(end)
      return [
        .data(
          chunkJSON(choice, delta: [:], finish: .string(end.reason)).adding([
            "seed": .number("\(seed)")
          ]))
      ]
    }
  }

  private func delta(_ event: OutputEvent) -> JSON? {
    switch event {
    case .content(let text): ["content": .string(text)]
    case .thinking(let text):
      ["reasoning_content": .string(text), "reasoning": .string(text)]
    case .toolCallStarted(let index, let id, let name):
      [
        "tool_calls": [
          [
            "index": .integer(index), "id": .string(id ?? Identifier.toolCall()),
            "type": "function", "function": ["name": .string(name), "arguments": ""],
          ]
        ]
      ]
    case .toolCallArguments(let index, let text):
      ["tool_calls": [["index": .integer(index), "function": ["arguments": .string(text)]]]]
    case .toolCallEnded, .toolCallIncomplete: nil
    }
  }

  mutating func end() -> [ServerSentEvent] {
    guard includesUsage else { return [.done] }
    var last = head
    last.append(JSONMember(name: "choices", value: []))
    last.append(JSONMember(name: "usage", value: AnswerUsage(ends).completionJSON))
    return [.data(.object(last)), .done]
  }

  mutating func fail(_ error: APIError) -> [ServerSentEvent] { [.data(error.json), .done] }

  private func chunk(_ choice: Int, delta: JSON, logprobs: JSON = .null) -> ServerSentEvent {
    .data(chunkJSON(choice, delta: delta, logprobs: logprobs))
  }

  private func chunkJSON(
    _ choice: Int, delta: JSON, logprobs: JSON = .null, finish: JSON = .null
  ) -> JSON {
    .object(
      head + [
        JSONMember(
          name: "choices",
          value: [
            [
              "index": .integer(choice), "delta": delta, "logprobs": logprobs,
              "finish_reason": finish,
            ]
          ])
      ])
  }

  private var head: [JSONMember] {
    [
      JSONMember(name: "id", value: .string(id)),
      JSONMember(name: "object", value: "chat.completion.chunk"),
      JSONMember(name: "created", value: .integer(createdSeconds)),
      JSONMember(name: "model", value: .string(modelName)),
      JSONMember(name: "system_fingerprint", value: "moe-run"),
    ]
  }
}
