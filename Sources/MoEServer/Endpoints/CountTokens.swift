import MoECore

extension Endpoint {
  static let countTokens = Endpoint(
    method: .post, path: "/messages/count_tokens",
    summary: "Counts the tokens of a conversation.", family: "Anthropic", errorForm: .anthropic,
    request: RequestSchema.messages
  ) { exchange in
    let model = try exchange.model()
    let answer = try MessageRequest(exchange, model, countsOnly: true).chat
      .answer(model, exchange.core)
    return .json(["input_tokens": .integer(answer.prompts.first?.count ?? 0)])
  }
}
