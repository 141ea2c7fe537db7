extension Endpoint {
  /// OpenAI's responses, none of which is kept.
  static let responses = Endpoint(
    method: .post, path: "/responses",
    summary: "Responds to a conversation, as a whole or in a stream.", family: "OpenAI",
    request: RequestSchema.response
  ) { exchange in
    let model = try exchange.model()
    let request = try ResponseRequest(exchange, model)
    let answer = try request.chat.answer(model, exchange.core)
    let encoder = ResponseEncoder(answer, request, model)
    let events = AnswerWriter(exchange, model: model).write(answer)
    if request.chat.isStreamed { return try await encoder.reply(events) }
    return .json(try await encoder.finished(events, scope: exchange.scope).json)
  }
}
