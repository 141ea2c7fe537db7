import MoECore

extension Endpoint {
  /// OpenAI's chat completions.
  static let chatCompletions = writing(
    path: "/chat/completions", summary: "Answers a conversation, as a whole or in a stream.",
    family: "OpenAI", request: RequestSchema.chatCompletion
  ) { exchange, model in
    let request = try ChatCompletionRequest(exchange, model)
    let answer = try request.chat.answer(model, exchange.core)
    return TextRequest(
      answer: answer, isStreamed: request.chat.isStreamed,
      encoder: ChatCompletionEncoder(answer, model, includesUsage: request.includesUsage))
  }
}
