import MoECore
import MoERuntime
import MoETemplates
import MoETokenizer

/// Reads a request of Anthropic's messages.
struct MessageRequest {
  var chat = ChatRequest()

  /// - Parameter countsOnly: Whether nothing is to be written, so that no limit is needed.
  init(_ exchange: Exchange, _ model: ServedModel, countsOnly: Bool = false) throws(APIError) {
    let unknown = UnknownFields()
    var fields = try exchange.fields(unknown)
    let input = MessageInput(unknown: unknown)
    let system = try MessageReader.text(&fields, "system", types: ["text"], unknown)
    chat.messages = try input.messages(&fields)
    if let system, !system.isEmpty {
      chat.messages.insert(ChatMessage(role: "system", text: system), at: 0)
    }
    chat.tools = try Self.tools(&fields, unknown)
    var options = GenerationOptions()
    options.sampling = exchange.core.options.sampling
    try SamplingFields.read(
      &fields, into: &options.sampling, vocabularySize: model.tokenizer.vocabularySize)
    options.stops = try SamplingFields.stops(&fields, "stop_sequences")
    options.keepsState = exchange.core.options.keepsState
    options.tokenCountMax = try fields.integer("max_tokens", in: 0 ... .max)
    guard options.tokenCountMax != nil || countsOnly else {
      throw .invalid("max_tokens", "max_tokens is missing; give the most tokens an answer may have")
    }
    chat.options = options
    chat.isStreamed = try fields.bool("stream") ?? false
    try readThinking(&fields, model)
    chat.constraint = try Self.constraint(&fields)
    chat.constraintName = "output_format"
    try Self.refuse(&fields)
    fields.finish()
    exchange.core.log(unknown, of: "/v1/messages")
  }

  private mutating func readThinking(
    _ fields: inout RequestFields, _ model: ServedModel
  ) throws(APIError) {
    guard var thinking = try fields.object("thinking") else { return }
    let type = try thinking.word("type", among: ["enabled", "disabled", "adaptive"])
    thinking.accept("budget_tokens", "display")
    thinking.finish()
    // A model that can't be told to think less is not refused what it does anyway.
    guard type != "adaptive", let type else { return }
    chat.variables = try ReasoningFields.variables(
      isOn: type == "enabled", named: "thinking", model)
  }

  private static func tools(
    _ fields: inout RequestFields, _ unknown: UnknownFields
  ) throws(APIError) -> ToolUse {
    var use = ToolUse()
    let reader = ToolReader(unknown: unknown)
    for (index, element) in (try fields.array("tools") ?? []).enumerated() {
      let path = "tools[\(index)]"
      var tool = try RequestFields(element, at: path, unknown: unknown)
      guard try tool.string("type") ?? "custom" == "custom" else {
        throw .unsupported("\(path).type", "\(path).type must be custom: no other tool is offered")
      }
      tool.accept("cache_control", "input_examples", "defer_loading", "eager_input_streaming")
      try reader.add(&tool, schema: "input_schema", to: &use)
      tool.finish()
    }
    guard var choice = try fields.object("tool_choice") else { return use }
    let type = try choice.word("type", among: ["auto", "none", "any", "tool"]) ?? "auto"
    if try choice.bool("disable_parallel_tool_use") == true { use.isParallel = false }
    choice.accept("name")
    choice.finish()
    switch type {
    case "none": return .none
    case "auto": return use
    default:
      throw .unsupported(
        "tool_choice", "tool_choice is not offered but as auto and none: no call can be enforced")
    }
  }

  private static func constraint(
    _ fields: inout RequestFields
  ) throws(APIError) -> OutputConstraint? {
    if let constraint = try ConstraintFields.responseFormat(&fields, "output_format") {
      return constraint
    }
    guard var config = try fields.object("output_config") else { return nil }
    defer { config.finish() }
    try config.refuse("effort", unless: "high", because: "the model has no such setting")
    return try ConstraintFields.responseFormat(&config, "format")
  }

  private static func refuse(_ fields: inout RequestFields) throws(APIError) {
    _ = try fields.string("model")
    try fields.refuse("mcp_servers", unless: [], because: "no tools are called by the server")
    try fields.refuse("container", because: "there are no containers")
    try fields.refuse("context_management", because: "nothing is left out of a prompt")
    fields.accept("metadata", "service_tier", "cache_control", "inference_geo")
  }
}
