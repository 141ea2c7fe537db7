import MoECore
import MoERuntime
import MoETemplates
import MoETokenizer

/// Reads a request of OpenAI's chat completions, with the members that llama-server has besides.
struct ChatCompletionRequest {
  var chat = ChatRequest()
  var includesUsage = false

  init(_ exchange: Exchange, _ model: ServedModel) throws(APIError) {
    let unknown = UnknownFields()
    var fields = try exchange.fields(unknown)
    chat.messages = try MessageReader(unknown: unknown).messages(&fields)
    chat.tools = try ToolReader(unknown: unknown).chat(&fields)
    if try fields.bool("parallel_tool_calls") == false { chat.tools.isParallel = false }
    try CommonFields.read(&fields, into: &chat, exchange.core, model)
    chat.options.tokenCountMax = try SamplingFields.tokenCountMax(
      &fields, "max_tokens", "max_completion_tokens", "n_predict")
    try readLogProbabilities(&fields)
    chat.constraint = try ConstraintFields.responseFormat(&fields)
    if let other = try ConstraintFields.llama(&fields) {
      guard chat.constraint == nil else {
        throw .invalid("response_format", "response_format and a grammar can't both be given")
      }
      chat.constraint = other
      if case .grammar = other {
        chat.constraintName = "grammar"
      } else {
        chat.constraintName = "json_schema"
      }
    }
    chat.variables = try ReasoningFields.templateVariables(&fields)
    let effort = try fields.word("reasoning_effort", among: ReasoningFields.efforts)
    chat.variables.merge(
      try ReasoningFields.variables(effort: effort, named: "reasoning_effort", model)
    ) { own, _ in own }
    if var options = try fields.object("stream_options") {
      includesUsage = try options.bool("include_usage") ?? false
      options.accept("include_obfuscation")
      options.finish()
    }
    try Self.refuse(&fields)
    fields.finish()
    exchange.core.log(unknown, of: "/v1/chat/completions")
  }

  private mutating func readLogProbabilities(
    _ fields: inout RequestFields
  ) throws(APIError) {
    let isWanted = try fields.bool("logprobs") ?? false
    let count = try fields.integer("top_logprobs", in: 0...20)
    if isWanted { chat.options.logProbabilityCount = count ?? 0 }
    if !isWanted, let count, count > 0 {
      throw .invalid("top_logprobs", "top_logprobs needs logprobs: true beside it")
    }
  }

  private static func refuse(_ fields: inout RequestFields) throws(APIError) {
    try fields.refuse("modalities", unless: ["text"], because: "answers are texts alone")
    try fields.refuse("audio", because: "answers are texts alone")
    try fields.refuse("functions", unless: [], because: "give tools instead")
    try fields.refuse("function_call", unless: "auto", "none", because: "give tool_choice instead")
    try fields.refuse("web_search_options", because: "there is no search")
    try fields.refuse("verbosity", unless: "medium", because: "the model has no such setting")
    try fields.refuse("store", unless: false, because: "answers are not kept")
    try fields.refuse(
      "reasoning_format", unless: "auto", "deepseek", "deepseek-legacy",
      because: "thinking is told apart always")
    try fields.refuse("parse_tool_calls", unless: true, because: "calls are told apart always")
    try fields.refuse(
      "add_generation_prompt", unless: true, because: "the conversation's end decides it")
    try fields.refuse("chat_template", because: "whoever runs the server chooses the template")
    fields.accept(
      "prediction", "metadata", "service_tier", "safety_identifier", "prompt_cache_key",
      "prompt_cache_retention", "continue_final_message")
  }
}

/// What OpenAI's chat completions and plain ones, and llama-server's, have in common.
enum CommonFields {
  static func read(
    _ fields: inout RequestFields, into chat: inout ChatRequest, _ core: ServerCore,
    _ model: ServedModel
  ) throws(APIError) {
    _ = try fields.string("model")
    fields.accept("user", "id_slot", "n_keep", "n_discard")
    var options = GenerationOptions()
    options.tokenCountMax = nil
    options.sampling = core.options.sampling
    try SamplingFields.read(
      &fields, into: &options.sampling, vocabularySize: model.tokenizer.vocabularySize)
    options.stops = try SamplingFields.stops(&fields)
    options.ignoresEnd = try fields.bool("ignore_eos") ?? false
    let usesCache = try fields.bool("cache_prompt") ?? true
    options.keepsState = core.options.keepsState && usesCache
    chat.options = options
    chat.isStreamed = try fields.bool("stream") ?? false
    chat.reportsProgress = try fields.bool("return_progress") ?? false
    let choices = 1...AnswerRequest.choiceCountMax
    chat.choiceCount = try fields.integer("n", in: choices) ?? 1
    try refuse(&fields)
  }

  private static func refuse(_ fields: inout RequestFields) throws(APIError) {
    try fields.refuse("best_of", unless: 1, because: "ask for n answers and choose among them")
    try fields.refuse("use_beam_search", unless: false, because: "texts are drawn token by token")
    try fields.refuse("min_tokens", unless: 0, because: "use logit_bias to ban the end")
    try fields.refuse("stop_token_ids", unless: [], because: "use stop")
    try fields.refuse(
      "include_stop_str_in_output", unless: false, because: "what ends a text is not part of it")
    for name in [
      "guided_json", "guided_regex", "guided_choice", "guided_grammar", "structured_outputs",
    ] {
      try fields.refuse(name, because: "use response_format")
    }
    try fields.refuse("lora", unless: [], because: "there are no adapters")
    try fields.refuse("image_data", unless: [], because: "prompts are texts alone")
    try fields.refuse("t_max_predict_ms", unless: 0, -1, because: "use max_tokens")
    try fields.refuse("n_indent", unless: 0, because: "use stop")
    try fields.refuse(
      "post_sampling_probs", unless: false, because: "probabilities are the model's own")
    try fields.refuse("response_fields", unless: [], because: "answers are whole")
    try fields.refuse("timings_per_token", unless: false, because: "times come at the end")
  }
}
