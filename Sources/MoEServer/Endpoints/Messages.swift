import MoECore

extension Endpoint {
  /// Anthropic's messages.
  static let messages = writing(
    path: "/messages", summary: "Answers a conversation, as a whole or in a stream.",
    family: "Anthropic", errorForm: .anthropic, request: RequestSchema.messages
  ) { exchange, model in
    let request = try MessageRequest(exchange, model)
    let answer = try request.chat.answer(model, exchange.core)
    return TextRequest(
      answer: answer, isStreamed: request.chat.isStreamed, encoder: MessageEncoder(answer, model))
  }
}
