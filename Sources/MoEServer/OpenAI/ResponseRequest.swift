import FoundationEssentials
import MoECore
import MoERuntime
import MoETemplates

/// Reads a request of OpenAI's responses.
struct ResponseRequest {
  var chat = ChatRequest()
  /// Members that the response repeats as they were.
  var repeated: [JSONMember] = []
  /// Whether thinking is given in a form that clients send back.
  var returnsThinking = false

  private let unknown = UnknownFields()

  init(_ exchange: Exchange, _ model: ServedModel) throws(APIError) {
    var fields = try exchange.fields(unknown)
    repeated = Self.repeated(&fields)
    chat.messagesName = "input"
    let instructions = try fields.string("instructions")
    chat.messages = try ResponseInput(unknown: unknown).messages(&fields)
    if let instructions {
      chat.messages.insert(ChatMessage(role: "system", text: instructions), at: 0)
    }
    chat.tools = try ToolReader(unknown: unknown).responses(&fields)
    if try fields.bool("parallel_tool_calls") == false { chat.tools.isParallel = false }
    try fields.refuse("n", unless: 1, because: "a response has one answer")
    try CommonFields.read(&fields, into: &chat, exchange.core, model)
    chat.options.tokenCountMax = try SamplingFields.tokenCountMax(&fields, "max_output_tokens")
    try readText(&fields)
    try readReasoning(&fields, model)
    try readInclude(&fields)
    try Self.refuse(&fields)
    fields.finish()
    exchange.core.log(unknown, of: "/v1/responses")
  }

  private static func repeated(_ fields: inout RequestFields) -> [JSONMember] {
    let standard: KeyValuePairs<String, JSON> = [
      "instructions": nil, "max_output_tokens": nil, "metadata": [:],
      "parallel_tool_calls": true, "temperature": nil, "tool_choice": "auto", "tools": [],
      "top_p": nil, "truncation": "disabled", "user": nil, "reasoning": nil,
      "text": ["format": ["type": "text"]],
    ]
    return standard.map { name, value in
      JSONMember(name: name, value: fields.value(name) ?? value)
    }
  }

  private mutating func readText(_ fields: inout RequestFields) throws(APIError) {
    guard var text = try fields.object("text") else { return }
    chat.constraint = try ConstraintFields.responseFormat(&text, "format")
    chat.constraintName = "text.format"
    try text.refuse("verbosity", unless: "medium", because: "the model has no such setting")
    text.finish()
  }

  private mutating func readReasoning(
    _ fields: inout RequestFields, _ model: ServedModel
  ) throws(APIError) {
    chat.variables = try ReasoningFields.templateVariables(&fields)
    guard var reasoning = try fields.object("reasoning") else { return }
    let effort = try reasoning.word("effort", among: ReasoningFields.efforts)
    chat.variables.merge(
      try ReasoningFields.variables(effort: effort, named: "reasoning.effort", model)
    ) { own, _ in own }
    // Thinking is given as it is, which is more than a summary of it.
    reasoning.accept("summary", "generate_summary")
    reasoning.finish()
  }

  private mutating func readInclude(_ fields: inout RequestFields) throws(APIError) {
    let top = try fields.integer("top_logprobs", in: 0...20)
    for name in try fields.strings("include") ?? [] {
      switch name {
      case "message.output_text.logprobs": chat.options.logProbabilityCount = top ?? 0
      case "reasoning.encrypted_content": returnsThinking = true
      default:
        throw .unsupported("include", "include can't have \(name.quotedForMessage): there is none")
      }
    }
    if let top, top > 0, chat.options.logProbabilityCount == nil {
      throw .invalid(
        "top_logprobs", "top_logprobs needs message.output_text.logprobs in include beside it")
    }
  }

  private static func refuse(_ fields: inout RequestFields) throws(APIError) {
    try fields.refuse("store", unless: false, because: "responses are not kept; send store: false")
    try fields.refuse(
      "previous_response_id", because: "responses are not kept; send all of the conversation")
    try fields.refuse("conversation", because: "conversations are not kept; send all of it")
    try fields.refuse("background", unless: false, because: "responses are not kept")
    try fields.refuse("prompt", because: "there are no stored prompts")
    try fields.refuse("truncation", unless: "disabled", because: "nothing is left out of a prompt")
    try fields.refuse("max_tool_calls", because: "there are no built-in tools")
    if var options = try fields.object("stream_options") {
      options.accept("include_obfuscation")
      options.finish()
    }
    fields.accept(
      "metadata", "service_tier", "safety_identifier", "prompt_cache_key",
      "prompt_cache_retention", "client_metadata")
  }

  /// Thinking in the form that clients send back, and from it.
  static func sealed(_ thinking: String) -> String {
    Data(thinking.utf8).base64EncodedString()
  }

  static func unsealed(_ text: String) -> String? {
    Data(base64Encoded: text).map { String(decoding: $0, as: UTF8.self) }
  }
}
