import MoECore
import MoERuntime

/// Reads a request of llama-server's `/completion`.
struct LlamaCompletionRequest {
  var chat = ChatRequest()
  var prompts: [[Int32]] = []
  /// Whether answers have the ids of their tokens too.
  var returnsTokens = false
  /// Whether the request had a list of prompts, so that the answer is one of answers.
  var isList = false

  init(_ exchange: Exchange, _ model: ServedModel) throws(APIError) {
    let unknown = UnknownFields()
    var fields = try exchange.fields(unknown)
    let value = fields.value("prompt")
    try fields.refuse("n_cmpl", unless: 1, because: "use n")
    try CommonFields.read(&fields, into: &chat, exchange.core, model)
    chat.options.tokenCountMax = try SamplingFields.tokenCountMax(
      &fields, "n_predict", "max_tokens")
    if let count = try fields.integer("n_probs", in: 0...100), count > 0 {
      chat.options.logProbabilityCount = count
    }
    chat.constraint = try ConstraintFields.llama(&fields)
    chat.constraintName = "grammar"
    returnsTokens = try fields.bool("return_tokens") ?? false
    fields.finish()
    exchange.core.log(unknown, of: "/completion")
    guard let value else { throw .invalid("prompt", "prompt is missing; give a text") }
    if case .array(let elements) = value, Self.isListOfPrompts(elements) {
      isList = true
      try PromptValue.check(promptCount: elements.count, choiceCount: chat.choiceCount)
      prompts = try elements.map { element throws(APIError) in
        try PromptValue.tokens(element, "prompt", fields, model)
      }
    } else {
      prompts = [try PromptValue.tokens(value, "prompt", fields, model)]
    }
  }

  /// A list of texts and tokens in turn is one prompt.
  private static func isListOfPrompts(_ elements: [JSON]) -> Bool {
    guard !elements.isEmpty else { return false }
    return elements.allSatisfy { element in
      if case .array = element { true } else { element.string != nil }
    }
  }

  func answer(_ core: ServerCore, _ model: ServedModel) throws(APIError) -> AnswerRequest {
    var options = chat.options
    if let constraint = chat.constraint {
      try ConstraintFields.apply(
        constraint, named: chat.constraintName, to: &options, core,
        ConstrainedAnswer(
          engine: model.engine, promptTokenCount: prompts[0].count, styles: [],
          startsInThinking: false))
    }
    return AnswerRequest(
      prompts: prompts, options: options, choiceCount: chat.choiceCount,
      reportsProgress: chat.reportsProgress,
      tickInterval: chat.isStreamed ? core.tickInterval : nil)
  }
}
