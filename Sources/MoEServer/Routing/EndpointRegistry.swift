/// All that the server can be asked for.
enum EndpointRegistry {
  static let all: [Endpoint] =
    [
      .chatCompletions, .textCompletions, .responses, .models, .model, .messages, .countTokens,
      .llamaCompletion, .tokenize, .detokenize, .applyTemplate, .props, .slots, .health, .metrics,
      .plan, .expertsLive, .page, .openAPI,
    ] + Endpoint.notOffered
}
