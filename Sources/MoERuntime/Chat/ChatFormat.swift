import MoECore
package import MoETemplates
package import MoETokenizer

/// How conversations with a model are written for it, and how its answers are read: by the model's
/// own chat template, or by another one that was asked for.
package struct ChatFormat: Sendable {
  /// Where the template comes from.
  package enum Source: Hashable, Sendable {
    case model
    case builtIn(String)
    /// Some text that a user gave.
    case text(String)
  }

  package let source: Source
  /// What was assumed; a sentence for the user.
  package let note: String?
  /// Names of the styles in which answers have thinking and tool calls.
  package let styles: [String]
  private let templates: ChatTemplateSet
  private let variables: [String: TemplateVariable]
  private let beginText: String?

  /// The form that is used where a file has no template.
  private static let standard = "chatml"

  /// - Parameter wanted: Nil: the model's own template, or `chatml` where it has none.
  package init(_ engine: Engine, wanted: Source? = nil) throws(EngineError) {
    let sources: [String: String]
    switch wanted {
    case nil where engine.chatTemplates.isEmpty:
      source = .builtIn(Self.standard)
      sources = try Self.builtIn(Self.standard)
      note =
        "the model has no chat template; '\(Self.standard)' is used (--chat-template names another)"
    case nil, .model:
      source = .model
      sources = engine.chatTemplates
      note = nil
    case .builtIn(let name):
      source = .builtIn(name)
      sources = try Self.builtIn(name)
      note = nil
    case .text(let text):
      source = .text(text)
      sources = [ChatTemplateSet.defaultName: text]
      note = nil
    }
    do {
      templates = try ChatTemplateSet(sources: sources)
    } catch {
      throw .template(error.description)
    }
    styles = OutputStyle.detect(template: sources.values.sorted().joined(separator: "\n"))
    func text(_ token: Int32?) -> String? { token.flatMap { engine.tokenizer.text(of: $0) } }
    beginText = text(engine.tokenizer.beginToken)
    var variables: [String: TemplateVariable] = [:]
    for (name, token) in [
      ("bos_token", beginText), ("eos_token", text(engine.tokenizer.endToken)),
      ("pad_token", text(engine.tokenizer.paddingToken)),
      ("unk_token", text(engine.tokenizer.unknownToken)),
    ] {
      // Templates join these with texts, so one that the model lacks is empty.
      variables[name] = .trusted(.string(token ?? ""))
    }
    self.variables = variables
  }

  private static func builtIn(_ name: String) throws(EngineError) -> [String: String] {
    guard let entry = BuiltInTemplateRegistry.all.first(where: { $0.name == name }) else {
      throw .template(
        "no chat template is called \(name.quotedForMessage); there are: "
          + BuiltInTemplateRegistry.all.map(\.name).joined(separator: ", "))
    }
    return [ChatTemplateSet.defaultName: entry.source]
  }

  /// The conversation as the model is to read it, up to the beginning of its answer.
  ///
  /// - Parameter variables: What the template may be told besides, such as `enable_thinking`.
  package func prompt(
    _ messages: [ChatMessage], tools: [ToolDefinition] = [],
    variables: [String: TemplateVariable] = [:]
  ) throws(EngineError) -> [PromptSegment] {
    do {
      return try templates.template(hasTools: !tools.isEmpty).render(
        messages: messages, tools: tools.isEmpty ? nil : tools, addsGenerationPrompt: true,
        variables: self.variables.merging(variables) { $1 }
      ).map { segment in
        switch segment {
        case .markup(let text): .markup(text)
        case .text(let text): .text(text)
        }
      }
    } catch {
      throw .template(error.description)
    }
  }

  /// Whether the tokenizer must begin a prompt: the template hasn't.
  package func wantsBeginToken(_ prompt: [PromptSegment]) -> Bool {
    guard let beginText, !beginText.isEmpty, case .markup(let first)? = prompt.first else {
      return true
    }
    return !first.hasPrefix(beginText)
  }

  /// Where the content of the answer to a prompt begins; nil: at once.
  package func contentStart(after prompt: [PromptSegment]) -> ContentStart? {
    OutputStyle.contentStart(styles: styles, startsInThinking: opensThinking(prompt))
  }

  private func opensThinking(_ prompt: [PromptSegment]) -> Bool {
    guard case .markup(let end)? = prompt.last else { return false }
    return OutputStyle.opensThinking(prompt: end, styles: styles)
  }

  /// A reader of the answer to a prompt.
  package func parser(
    after prompt: [PromptSegment], tools: [OutputTool] = []
  ) throws(EngineError) -> OutputParser {
    do {
      return try OutputParser(
        styles: styles, tools: tools, startsInThinking: opensThinking(prompt))
    } catch {
      throw .template("\(error)")
    }
  }
}
