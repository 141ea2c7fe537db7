import MoECore
import MoERuntime
import MoETokenizer

/// Reads a request of OpenAI's plain completions.
struct TextCompletionRequest {
  /// One text to go on with.
  struct Prompt {
    var tokens: [Int32]
    /// What it says, where answers are to begin with it.
    var text: String
  }

  var chat = ChatRequest()
  var prompts: [Prompt] = []
  var echoes = false
  var includesUsage = false

  /// Tokens that are generated where a request does not say, as OpenAI has it.
  private static let tokenCountMaxStandard = 16

  init(_ exchange: Exchange, _ model: ServedModel) throws(APIError) {
    let unknown = UnknownFields()
    var fields = try exchange.fields(unknown)
    let value = fields.value("prompt")
    try CommonFields.read(&fields, into: &chat, exchange.core, model)
    let names = ["max_tokens", "max_completion_tokens", "n_predict"]
    let isLimited = names.contains { fields.value($0) != nil }
    let limit = try SamplingFields.tokenCountMax(
      &fields, "max_tokens", "max_completion_tokens", "n_predict")
    chat.options.tokenCountMax = isLimited ? limit : Self.tokenCountMaxStandard
    chat.options.logProbabilityCount = try Self.logProbabilityCount(&fields)
    chat.constraint = try ConstraintFields.responseFormat(&fields)
    if let other = try ConstraintFields.llama(&fields) {
      (chat.constraint, chat.constraintName) = (other, "grammar")
    }
    echoes = try fields.bool("echo") ?? false
    if echoes, chat.options.logProbabilityCount != nil {
      throw .unsupported("echo", "echo is not offered with logprobs: a prompt has none")
    }
    try fields.refuse("suffix", unless: "", because: "the model writes at the end alone")
    if var options = try fields.object("stream_options") {
      includesUsage = try options.bool("include_usage") ?? false
      options.accept("include_obfuscation")
      options.finish()
    }
    fields.finish()
    exchange.core.log(unknown, of: "/v1/completions")
    prompts = try Self.prompts(value, fields, model, choiceCount: chat.choiceCount)
  }

  /// OpenAI's number, or the flag that other servers take.
  private static func logProbabilityCount(
    _ fields: inout RequestFields
  ) throws(APIError) -> Int? {
    switch fields.value("logprobs") {
    case .bool(let isWanted): isWanted ? 1 : nil
    default: try fields.integer("logprobs", in: 0...20)
    }
  }

  /// What is to be written.
  func answer(_ core: ServerCore, _ model: ServedModel) throws(APIError) -> AnswerRequest {
    var options = chat.options
    if let constraint = chat.constraint {
      try ConstraintFields.apply(
        constraint, named: chat.constraintName, to: &options, core,
        ConstrainedAnswer(
          engine: model.engine, promptTokenCount: prompts[0].tokens.count, styles: [],
          startsInThinking: false))
    }
    return AnswerRequest(
      prompts: prompts.map(\.tokens), options: options, choiceCount: chat.choiceCount,
      reportsProgress: chat.reportsProgress,
      tickInterval: chat.isStreamed ? core.tickInterval : nil)
  }

  /// What each answer begins with.
  var beginnings: [String] {
    prompts.flatMap { prompt in
      [String](repeating: echoes ? prompt.text : "", count: chat.choiceCount)
    }
  }

  private static func prompts(
    _ value: JSON?, _ fields: RequestFields, _ model: ServedModel, choiceCount: Int
  ) throws(APIError) -> [Prompt] {
    guard let value else { throw .invalid("prompt", "prompt is missing; give a text") }
    if case .array(let elements) = value, !elements.contains(where: { $0.wholeNumber != nil }) {
      guard !elements.isEmpty else { throw .invalid("prompt", "prompt is an empty list") }
      try PromptValue.check(promptCount: elements.count, choiceCount: choiceCount)
      return try elements.map { element throws(APIError) in
        try prompt(element, fields, model)
      }
    }
    return [try prompt(value, fields, model)]
  }

  private static func prompt(
    _ value: JSON, _ fields: RequestFields, _ model: ServedModel
  ) throws(APIError) -> Prompt {
    let tokens = try PromptValue.tokens(value, "prompt", fields, model)
    let text = value.string ?? model.tokenizer.decode(tokens)
    return Prompt(tokens: tokens, text: text)
  }
}

/// A raw prompt: a text, tokens, or both in turn.
enum PromptValue {
  static func check(promptCount: Int, choiceCount: Int) throws(APIError) {
    guard promptCount <= AnswerRequest.choiceCountMax / choiceCount else {
      throw .invalid(
        "n", "n times the prompts may be \(AnswerRequest.choiceCountMax) texts, and are more")
    }
  }

  /// Names of special tokens in a raw prompt are those tokens: whoever sends one writes what a
  /// template would.
  static func tokens(
    _ value: JSON, _ name: String, _ fields: RequestFields, _ model: ServedModel
  ) throws(APIError) -> [Int32] {
    switch value {
    case .string(let text):
      try model.check(textByteCount: text.utf8.count)
      return try model.tokens(of: [.markup(text)], addsSpecialTokens: true)
    case .array(let elements):
      if elements.contains(where: { $0.string != nil }) {
        let segments = try elements.map { element throws(APIError) -> PromptSegment in
          if let text = element.string { return .markup(text) }
          return .token(try token(element, name, fields))
        }
        try model.check(
          textByteCount: elements.reduce(0) { $0 + ($1.string?.utf8.count ?? 0) })
        return try model.tokens(of: segments, addsSpecialTokens: true)
      }
      return try model.checked(
        elements.map { element throws(APIError) in try token(element, name, fields) })
    default: throw fields.wrong(name, wanted: "a text or a list of tokens", value)
    }
  }

  private static func token(
    _ value: JSON, _ name: String, _ fields: RequestFields
  ) throws(APIError) -> Int32 {
    guard let token = value.wholeNumber.flatMap({ Int32(exactly: $0) }) else {
      throw fields.wrong(name, wanted: "a text or a list of tokens", value)
    }
    return token
  }
}
