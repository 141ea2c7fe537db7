import MoECore

extension Endpoint {
  /// llama-server's completions.
  static let llamaCompletion = writing(
    path: "/completion", summary: "Goes on with a text, with llama-server's members.",
    family: "llama-server", request: RequestSchema.llamaCompletion
  ) { exchange, model in
    let request = try LlamaCompletionRequest(exchange, model)
    let answer = try request.answer(exchange.core, model)
    return TextRequest(
      answer: answer, isStreamed: request.chat.isStreamed,
      encoder: LlamaCompletionEncoder(answer, request, model))
  }
}
