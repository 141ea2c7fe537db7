import MoECore

extension Endpoint {
  /// OpenAI's plain completions.
  static let textCompletions = writing(
    path: "/completions", summary: "Goes on with texts, as a whole or in a stream.",
    family: "OpenAI", request: RequestSchema.textCompletion
  ) { exchange, model in
    let request = try TextCompletionRequest(exchange, model)
    let answer = try request.answer(exchange.core, model)
    return TextRequest(
      answer: answer, isStreamed: request.chat.isStreamed,
      encoder: TextCompletionEncoder(
        answer, model, includesUsage: request.includesUsage, beginnings: request.beginnings))
  }
}
