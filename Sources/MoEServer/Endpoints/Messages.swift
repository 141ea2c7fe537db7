import MoECore

extension Endpoint {
  /// Anthropic's messages.
  static let messages = Endpoint(
    method: .post, path: "/messages",
    summary: "Answers a conversation, as a whole or in a stream.", family: "Anthropic",
    errorForm: .anthropic, request: RequestSchema.messages
  ) { exchange in
    let model = try exchange.model()
    let request = try MessageRequest(exchange, model)
    let answer = try request.chat.answer(model, exchange.core)
    let encoder = MessageEncoder(answer, model)
    let events = AnswerWriter(exchange, model: model).write(answer)
    if request.chat.isStreamed { return try await encoder.reply(events) }
    return .json(try await encoder.finished(events, scope: exchange.scope).json)
  }
}
