import MoECore

extension Endpoint {
  /// OpenAI's chat completions.
  static let chatCompletions = Endpoint(
    method: .post, path: "/chat/completions",
    summary: "Answers a conversation, as a whole or in a stream.", family: "OpenAI",
    request: RequestSchema.chatCompletion
  ) { exchange in
    let model = try exchange.model()
    let request = try ChatCompletionRequest(exchange, model)
    let answer = try request.chat.answer(model, exchange.core)
    let encoder = ChatCompletionEncoder(answer, model, includesUsage: request.includesUsage)
    let events = AnswerWriter(exchange, model: model).write(answer)
    if request.chat.isStreamed { return try await encoder.reply(events) }
    return .json(
      encoder.json(
        try await FinishedAnswer.collect(
          events, count: answer.textCount, scope: exchange.scope)))
  }
}
