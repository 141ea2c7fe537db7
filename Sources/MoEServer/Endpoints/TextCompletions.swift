import MoECore

extension Endpoint {
  /// OpenAI's plain completions.
  static let textCompletions = Endpoint(
    method: .post, path: "/completions",
    summary: "Goes on with texts, as a whole or in a stream.", family: "OpenAI",
    request: RequestSchema.textCompletion
  ) { exchange in
    let model = try exchange.model()
    let request = try TextCompletionRequest(exchange, model)
    let answer = try request.answer(exchange.core, model)
    let encoder = TextCompletionEncoder(
      answer, model, includesUsage: request.includesUsage, beginnings: request.beginnings)
    let events = AnswerWriter(exchange, model: model).write(answer)
    if request.chat.isStreamed { return try await encoder.reply(events) }
    return .json(
      encoder.json(
        try await FinishedAnswer.collect(
          events, count: answer.textCount, scope: exchange.scope)))
  }
}
