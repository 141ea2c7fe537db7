import MoECore
import MoERuntime
import MoETemplates
import MoETokenizer

/// A conversation to go on with, by whichever interface it came.
struct ChatRequest {
  var messages: [ChatMessage] = []
  /// The member that they are in, for errors.
  var messagesName = "messages"
  var tools = ToolUse.none
  /// What the template is told besides.
  var variables: [String: TemplateVariable] = [:]
  var options = GenerationOptions()
  var choiceCount = 1
  var constraint: OutputConstraint?
  /// The member that asks for it, for errors.
  var constraintName = "response_format"
  var isStreamed = false
  var reportsProgress = false

  /// What is to be written. Throws where the template or the model can't.
  func answer(_ model: ServedModel, _ core: ServerCore) throws(APIError) -> AnswerRequest {
    let variables = core.hooks.templateVariables.merging(variables) { $1 }
    try model.check(textByteCount: messages.reduce(0) { $0 + $1.text.utf8.count })
    let prompt = try ChatPrompt(
      model: model, tools: tools, variables: variables, messagesName: messagesName
    ).segments(messages)
    let tokens = try model.tokens(
      of: prompt, addsSpecialTokens: model.format.wantsBeginToken(prompt))
    var options = options
    // Markers of thinking and calls are special tokens of many models.
    options.rendersSpecialTokens = true
    let parser: OutputParser
    do {
      parser = try model.format.parser(after: prompt, tools: tools.outputs)
    } catch {
      throw APIError(error)
    }
    if let constraint {
      var end = ""
      if case .markup(let text)? = prompt.last { end = text }
      try ConstraintFields.apply(
        constraint, named: constraintName, to: &options, core,
        ConstrainedAnswer(
          engine: model.engine, promptTokenCount: tokens.count, styles: model.format.styles,
          startsInThinking: OutputStyle.opensThinking(prompt: end, styles: model.format.styles)))
    }
    return AnswerRequest(
      prompts: [tokens], options: options, choiceCount: choiceCount,
      reading: .chat(parser, tools: tools), reportsProgress: reportsProgress,
      tickInterval: isStreamed ? core.tickInterval : nil)
  }
}
