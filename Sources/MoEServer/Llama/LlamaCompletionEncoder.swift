import MoECore
import MoERuntime
import MoETemplates
import MoETokenizer

/// Writes answers as llama-server's `/completion`.
struct LlamaCompletionEncoder: AnswerEncoder {
  private let request: AnswerRequest
  private let modelName: String
  private let returnsTokens: Bool
  private let isList: Bool
  private let hasProbabilities: Bool
  private let probabilities: LogProbabilityJSON
  private let prompts: [String]

  init(_ answer: AnswerRequest, _ request: LlamaCompletionRequest, _ model: ServedModel) {
    self.request = answer
    modelName = model.name
    returnsTokens = request.returnsTokens
    isList = request.isList || answer.textCount > 1
    hasProbabilities = answer.options.logProbabilityCount != nil
    probabilities = LogProbabilityJSON(tokenizer: model.tokenizer)
    prompts = answer.prompts.map { model.tokenizer.decode($0) }
  }

  func json(_ answers: [FinishedAnswer]) -> JSON {
    let list = answers.enumerated().map { index, answer in
      whole(index, text: answer.content, tokens: answer.tokens, answer.end).adding([
        "completion_probabilities": hasProbabilities
          ? .array(answer.probabilities.map(probabilities.llama)) : nil
      ])
    }
    return isList ? .array(list) : list.first ?? nil
  }

  private func whole(_ index: Int, text: String, tokens: [Int32], _ end: AnswerEnd) -> JSON {
    var options = request.options
    let (prompt, number) = request.place(of: index)
    options.sampling.seed = request.seed &+ UInt64(number)
    let stop =
      switch end.finish {
      case .end: "eos"
      case .stop: "word"
      case .length: "limit"
      case .cancelled: "none"
      }
    let word = if case .stop(let text) = end.finish { text } else { "" }
    return [
      "index": .integer(index), "content": .string(text),
      "tokens": .array(returnsTokens ? tokens.map { .integer(Int($0)) } : []),
      "id_slot": 0, "stop": true, "model": .string(modelName),
      "tokens_predicted": .integer(end.statistics.generatedTokenCount),
      "tokens_evaluated": .integer(prompt.count),
      "generation_settings": options.settingsJSON,
      "prompt": .string(prompts[index / request.choiceCount]),
      "has_new_line": .bool(text.contains("\n")), "truncated": false,
      "stop_type": .string(stop), "stopping_word": .string(word),
      "tokens_cached": .integer(end.statistics.heldTokenCount),
      "timings": end.statistics.timingsJSON,
    ]
  }

  func json(
    of events: AsyncThrowingStream<AnswerEvent, any Error>, count: Int, scope: RequestScope
  ) async throws -> JSON {
    json(try await FinishedAnswer.collect(events, count: count, scope: scope))
  }

  mutating func encode(_ event: AnswerEvent) -> [ServerSentEvent] {
    switch event {
    case .tick: return []
    case .progress(let progress):
      return [
        .data(
          part(0, "", []).adding([
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
      if text.isEmpty && !returnsTokens { return [] }
      return [
        .data(
          part(index, text, piece.token.map { [$0] } ?? []).adding([
            "completion_probabilities": hasProbabilities
              ? .array(piece.probabilities.map(probabilities.llama)) : nil
          ]))
      ]
    case .end(let index, let end): return [.data(whole(index, text: "", tokens: [], end))]
    }
  }

  private func part(_ index: Int, _ text: String, _ tokens: [Int32]) -> JSON {
    [
      "index": .integer(index), "content": .string(text),
      "tokens": .array(returnsTokens ? tokens.map { .integer(Int($0)) } : []),
      "stop": false, "id_slot": 0,
      "tokens_evaluated": .integer(request.place(of: index).prompt.count),
    ]
  }

  /// Clients of this interface read the last event, which has `stop`, as the end.
  mutating func end() -> [ServerSentEvent] { [] }

  mutating func fail(_ error: APIError) -> [ServerSentEvent] { [.data(error.json)] }
}
