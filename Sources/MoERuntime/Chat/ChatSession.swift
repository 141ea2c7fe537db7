import MoETemplates
import MoETokenizer

/// Which template writes a conversation for the model.
public enum ChatTemplateChoice: Hashable, Sendable, Codable {
  /// The model's own; `chatml` where it has none.
  case model
  /// One that comes with the library, by its name: `chatml`, `llama3`, `gemma` and others.
  case named(String)
  /// The text of one, in Jinja.
  case text(String)
}

/// A conversation with a model, written as its makers meant, by the model's own chat template.
///
/// An answer is asked for with all messages so far. What the model has read of them stays read, so
/// that only what is new is computed, wherever the conversation goes on from. Whatever a message
/// contains, it is text: only the template steers the model.
public final class ChatSession: Sendable {
  public let engine: Engine
  /// What was assumed where the model has no template; a sentence for whoever runs the program.
  public let note: String?
  private let session: Session
  private let format: ChatFormat

  init(_ engine: Engine, _ choice: ChatTemplateChoice) throws(EngineError) {
    let wanted: ChatFormat.Source? =
      switch choice {
      case .model: nil
      case .named(let name): .builtIn(name)
      case .text(let text): .text(text)
      }
    format = try ChatFormat(engine, wanted: wanted)
    note = format.note
    session = engine.session()
    self.engine = engine
  }

  /// Has the model answer.
  ///
  /// - Parameters:
  ///   - messages: The whole conversation; the last one is what is to be answered.
  ///   - tools: What the model may call. Calls come as events; whoever asks runs them, and asks
  ///     again with their results as messages of the role `tool`.
  /// - Throws: `EngineError` where the template refuses the messages, or a tool's schema is none.
  public func answer(
    _ messages: [Message], tools: [Tool] = [], _ options: GenerationOptions = GenerationOptions()
  ) throws(EngineError) -> GenerationEvents {
    var definitions: [ToolDefinition] = []
    var outputs: [OutputTool] = []
    for tool in tools {
      let (definition, output) = try tool.definition
      definitions.append(definition)
      outputs.append(output)
    }
    let prompt = try format.prompt(messages.map(\.chatMessage), tools: definitions)
    var options = options
    options.grammar = options.grammar?.beginning(behind: format.contentStart(after: prompt))
    options.addsSpecialTokens = format.wantsBeginToken(prompt)
    // Markers of thinking and calls are special tokens of many models.
    options.rendersSpecialTokens = true
    let parser = try format.parser(after: prompt, tools: outputs)
    return GenerationEvents(
      generation: session.generate(prompt, options), parser: parser, tools: outputs)
  }

  /// The tokens that are held of the conversation.
  public var tokens: [Int32] {
    get async throws(EngineError) { try await session.tokens }
  }
}

extension Engine {
  /// A conversation with the model.
  ///
  /// - Throws: `EngineError.template` where there is no such template, or it cannot be read.
  public func chat(template: ChatTemplateChoice = .model) throws(EngineError) -> ChatSession {
    try ChatSession(self, template)
  }
}
