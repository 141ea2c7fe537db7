package import FoundationEssentials
import MoECore

/// A model's chat template: a Jinja text that writes a conversation as the model was trained to
/// read it.
///
/// It is read once and renders any number of conversations. It gives what transformers'
/// `apply_chat_template` gives, but says of each character whether the template or a message wrote
/// it. A template is a stranger's program, so every rendering is bounded (`TemplateLimits`); it
/// reaches nothing but its arguments.
package struct ChatTemplate: Sendable {
  package let source: String
  private let limits: TemplateLimits
  private let statements: [Statement]

  /// Throws where the source is not Jinja, or has tags that are not implemented; filters, tests
  /// and methods that are not are found when they are used.
  package init(source: String, limits: TemplateLimits = .init()) throws(TemplateError) {
    self.source = source
    self.limits = limits
    statements = try withLargeStack { () throws(TemplateError) -> [Statement] in
      try Parser.statements(of: source, limits: limits)
    }
  }

  /// The conversation as the model is to read it. Adjacent segments have different kinds.
  ///
  /// - Parameters:
  ///   - tools: nil where the conversation has none: templates see `none`.
  ///   - addsGenerationPrompt: whether the beginning of the model's answer follows.
  ///   - variables: by name, for example `enable_thinking`, `bos_token`, `documents`. They replace
  ///     the variables that every template gets.
  ///   - date: what `strftime_now` tells, in the time zone.
  package func render(
    messages: [ChatMessage], tools: [ToolDefinition]? = nil, addsGenerationPrompt: Bool,
    variables: [String: TemplateVariable] = [:], now date: Date = Date(),
    timeZone: TimeZone = .current
  ) throws(TemplateError) -> [TemplateSegment] {
    let messages = JSON.array(messages.map(\.json))
    let tools = tools.map { JSON.array($0.map(\.json)) } ?? .null
    var all: [String: TemplateVariable] = [
      "messages": .untrusted(messages), "tools": .untrusted(tools), "documents": .trusted(.null),
      "add_generation_prompt": .trusted(.bool(addsGenerationPrompt)),
    ]
    all.merge(variables) { $1 }
    let (given, clock) = (all, TemplateClock(date: date, timeZone: timeZone))
    return try withLargeStack { () throws(TemplateError) -> [TemplateSegment] in
      try segments(given, clock)
    }
  }

  private func segments(
    _ variables: [String: TemplateVariable], _ clock: TemplateClock
  ) throws(TemplateError) -> [TemplateSegment] {
    var inputLetterCount = 0
    for variable in variables.values { inputLetterCount += try variable.value.letterCount() }
    let budget = Budget(limits, inputLetterCount: inputLetterCount)
    let interpreter = Interpreter(limits, budget: budget, clock: clock)
    for (name, variable) in variables {
      interpreter.scope.set(name, to: try Value(json: variable.value, variable.origin, budget))
    }
    let segments = TemplateSegment.segments(of: try interpreter.render(statements))
    let byteCount = segments.reduce(0) { $0 + $1.string.utf8.count }
    if byteCount > limits.outputByteCountMax {
      throw TemplateError(
        .limit, "the output is longer than \(limits.outputByteCountMax) bytes")
    }
    return segments
  }
}
