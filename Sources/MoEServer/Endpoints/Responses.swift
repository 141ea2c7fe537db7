extension Endpoint {
  /// OpenAI's responses, none of which is kept.
  static let responses = writing(
    path: "/responses", summary: "Responds to a conversation, as a whole or in a stream.",
    family: "OpenAI", request: RequestSchema.response
  ) { exchange, model in
    let request = try ResponseRequest(exchange, model)
    let answer = try request.chat.answer(model, exchange.core)
    return TextRequest(
      answer: answer, isStreamed: request.chat.isStreamed,
      encoder: ResponseEncoder(answer, request, model))
  }
}
