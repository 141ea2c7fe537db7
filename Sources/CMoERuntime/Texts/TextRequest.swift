import MoERuntime
import MoETemplates
import MoETokenizer

/// What a text begins from.
enum TextPrompt {
  case text(String)
  /// Messages as JSON.
  case conversation(String)
}

/// A prompt as the engine takes it, and a reader for what comes of it.
struct TextRequest {
  let segments: [PromptSegment]
  let options: GenerationOptions
  /// Nil for a plain text.
  let parser: OutputParser?

  init(
    _ prompt: TextPrompt, _ wanted: TextOptions, _ model: LoadedModel
  ) throws(EngineError) {
    var options = wanted.generationOptions()
    options.grammar = try wanted.outputGrammar(model.engine)
    switch prompt {
    case .text(let text):
      if let option = wanted.conversationOption {
        throw .template(
          "the option \"\(option)\" is of conversations; use moe_session_chat, or leave it out")
      }
      segments = [options.parsesSpecialTokens ? .markup(text) : .text(text)]
      parser = nil
    case .conversation(let json):
      let messages = try ChatMessage.list(json: json, of: "the conversation")
      let format = try model.chatFormat(wanted.template)
      segments = try format.prompt(
        messages, tools: wanted.tools.definitions, variables: wanted.variables)
      parser = try format.parser(after: segments, tools: wanted.tools.outputs)
      options.grammar = options.grammar?.beginning(behind: format.contentStart(after: segments))
      options.addsSpecialTokens = format.wantsBeginToken(segments)
      // Markers of thinking and calls are special tokens of many models.
      options.rendersSpecialTokens = true
    }
    self.options = options
  }
}
