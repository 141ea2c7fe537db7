import MoECore
import MoERuntime
import MoETemplates

/// Writes answers as OpenAI's plain completions.
struct TextCompletionEncoder: AnswerEncoder {
  private let id = Identifier.make("cmpl-")
  private let createdSeconds = HTTPDate.unixSeconds
  private let modelName: String
  private let includesUsage: Bool
  private let hasProbabilities: Bool
  private let probabilities: LogProbabilityJSON
  private let seed: UInt64
  /// What the answers begin with, by choice.
  private let beginnings: [String]
  private var offsets: [Int]
  private var ends: [AnswerEnd] = []

  init(
    _ request: AnswerRequest, _ model: ServedModel, includesUsage: Bool, beginnings: [String]
  ) {
    modelName = model.name
    self.includesUsage = includesUsage
    hasProbabilities = request.options.logProbabilityCount != nil
    probabilities = LogProbabilityJSON(tokenizer: model.tokenizer)
    seed = request.seed
    self.beginnings = beginnings
    offsets = beginnings.map(\.unicodeScalars.count)
  }

  func json(_ answers: [FinishedAnswer]) -> JSON {
    .object(
      head + [
        JSONMember(
          name: "choices",
          value: .array(
            answers.enumerated().map { index, answer in
              var offset = offsets[index]
              return choice(
                index, beginnings[index] + answer.content,
                hasProbabilities
                  ? probabilities.completion(answer.probabilities, offset: &offset) : nil,
                finish: .string(answer.end.reason))
            })),
        JSONMember(name: "usage", value: AnswerUsage(answers.map(\.end)).completionJSON),
        JSONMember(name: "seed", value: .number("\(seed)")),
      ])
  }

  private func choice(_ index: Int, _ text: String, _ logprobs: JSON, finish: JSON) -> JSON {
    [
      "index": .integer(index), "text": .string(text), "logprobs": logprobs,
      "finish_reason": finish,
    ]
  }

  private var head: [JSONMember] {
    [
      JSONMember(name: "id", value: .string(id)),
      JSONMember(name: "object", value: "text_completion"),
      JSONMember(name: "created", value: .integer(createdSeconds)),
      JSONMember(name: "model", value: .string(modelName)),
      JSONMember(name: "system_fingerprint", value: "moe-run"),
    ]
  }

  func json(
    of events: AsyncThrowingStream<AnswerEvent, any Error>, count: Int, scope: RequestScope
  ) async throws -> JSON {
    json(try await FinishedAnswer.collect(events, count: count, scope: scope))
  }

  mutating func begin() -> [ServerSentEvent] {
    beginnings.enumerated().compactMap { index, text in
      text.isEmpty ? nil : chunk(choice(index, text, .null, finish: .null))
    }
  }

  mutating func encode(_ event: AnswerEvent) -> [ServerSentEvent] {
    switch event {
    case .tick: return []
    case .progress(let progress):
      let json = JSON.object(
        head + [JSONMember(name: "choices", value: [choice(0, "", nil, finish: nil)])])
      return [
        .data(
          json.adding([
            "prompt_progress": [
              "total": .integer(progress.totalCount), "cache": .integer(progress.cachedCount),
              "processed": .integer(progress.processedCount),
              "time_ms": .integer(Int(progress.milliseconds)),
            ]
          ]))
      ]
    case .piece(let index, let piece):
      let text = piece.output.reduce(into: "") { text, event in
        if case .content(let more) = event { text += more }
      }
      if text.isEmpty { return [] }
      let logprobs =
        hasProbabilities
        ? probabilities.completion(piece.probabilities, offset: &offsets[index]) : JSON.null
      return [chunk(choice(index, text, logprobs, finish: .null))]
    case .end(let index, let end):
      ends.append(end)
      return [chunk(choice(index, "", .null, finish: .string(end.reason)))]
    }
  }

  mutating func end() -> [ServerSentEvent] {
    guard includesUsage else { return [.done] }
    return [
      .data(
        .object(
          head + [
            JSONMember(name: "choices", value: []),
            JSONMember(name: "usage", value: AnswerUsage(ends).completionJSON),
          ])), .done,
    ]
  }

  mutating func fail(_ error: APIError) -> [ServerSentEvent] { [.data(error.json), .done] }

  private func chunk(_ choice: JSON) -> ServerSentEvent {
    .data(.object(head + [JSONMember(name: "choices", value: [choice])]))
  }
}
