import MoECore

extension Endpoint {
  /// llama-server's completions.
  static let llamaCompletion = Endpoint(
    method: .post, path: "/completion",
    summary: "Goes on with a text, with llama-server's members.", family: "llama-server",
    request: RequestSchema.llamaCompletion
  ) { exchange in
    let model = try exchange.model()
    let request = try LlamaCompletionRequest(exchange, model)
    let answer = try request.answer(exchange.core, model)
    let encoder = LlamaCompletionEncoder(answer, request, model)
    let events = AnswerWriter(exchange, model: model).write(answer)
    if request.chat.isStreamed { return try await encoder.reply(events) }
    return .json(
      encoder.json(
        try await FinishedAnswer.collect(
          events, count: answer.textCount, scope: exchange.scope)))
  }
}
