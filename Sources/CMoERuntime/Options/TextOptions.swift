import MoECore
import MoERuntime
import MoETemplates

/// What C may ask of a text.
struct TextOptions: Sendable {
  enum Form: Sendable {
    case gbnf(String)
    case jsonSchema(String)
  }

  var generation = GenerationOptions()
  /// A grammar of the engine is made of it when the text begins.
  var grammar: Form?
  /// The chat template. Nil: the model's own.
  var template: ChatFormat.Source?
  /// What it is told besides.
  var variables: [String: TemplateVariable] = [:]
  var tools = ChatTools.none
  /// In place of the usual ones, where there are some.
  var dryBreakers: [String] = []

  /// The option of conversations that was set, if one was: a plain text has no use for it.
  var conversationOption: String? {
    if template != nil { return "chat-template" }
    if !variables.isEmpty { return "template-argument" }
    return tools.definitions.isEmpty ? nil : "tools"
  }

  /// The options of a generation, with a seed drawn where none was set, so that it can be reported.
  func generationOptions() -> GenerationOptions {
    var options = generation
    if !dryBreakers.isEmpty { options.sampling.dryBreakers = dryBreakers.filter { $0 != "none" } }
    options.sampling.seed = options.sampling.seed ?? UInt64(UInt32.random(in: .min ... .max))
    return options
  }

  func outputGrammar(_ engine: Engine) throws(EngineError) -> OutputGrammar? {
    switch grammar {
    case .gbnf(let text): try engine.grammar(gbnf: text)
    case .jsonSchema(let text): try engine.grammar(jsonSchema: text)
    case nil: nil
    }
  }

  /// A template has braces in it, which no built-in's name has.
  static func template(
    _ text: String
  ) throws(WantedValue) -> ChatFormat.Source {
    if text.contains("{") { return .text(text) }
    let names = BuiltInTemplateRegistry.all.map(\.name)
    guard names.contains(text) else {
      throw WantedValue(text: "a template in Jinja, or one of \(names.joined(separator: ", "))")
    }
    return .builtIn(text)
  }

  /// A value is JSON where it can be read so, and a text else.
  mutating func addVariable(_ text: String) throws(WantedValue) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty else {
      throw WantedValue(text: "a name and a value, such as enable_thinking=false")
    }
    let value = String(parts[1])
    let json = (try? JSON(text: value)) ?? .string(value)
    variables[String(parts[0])] = .untrusted(json)
  }
}
