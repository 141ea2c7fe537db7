import ArgumentParser
import MoECore
import MoERuntime
import MoETemplates
import MoETokenizer

/// `moe-run chat`: a conversation with an instruction model.
struct Chat: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Talk with a model, in the form that its makers gave it.",
    discussion: """
      Messages are typed, or come from standard input, one a line. /help lists what can be said \
      besides. Ctrl-C stops an answer and keeps what there is of it; Ctrl-D ends.

      What was read stays read: of each message only what is new is computed.
      """)

  @OptionGroup(title: "Model") var model: ModelOptions

  @Option(
    name: [.customLong("system"), .customLong("system-prompt"), .customShort("S")],
    help: ArgumentHelp("What the model is told beforehand.", valueName: "text"))
  var system: String?

  @Option(
    help: ArgumentHelp(
      "The form of conversations: a file with a Jinja template, or one of "
        + BuiltInTemplateRegistry.all.map(\.name).joined(separator: ", ")
        + ". (default: the model's own)", valueName: "name|file"),
    completion: .file())
  var chatTemplate: String?

  @Option(
    help: ArgumentHelp(
      "What the template is told besides, such as enable_thinking=false; repeatable.",
      valueName: "name=value"),
    transform: Self.variable)
  var templateArgument: [Variable] = []

  @Option(
    help: ArgumentHelp(
      "Tools that the model may call: a file with a JSON array of functions. Calls are shown, and "
        + "their results asked for.", valueName: "file"),
    completion: .file(extensions: ["json"]))
  var tools: String?

  @Flag(help: "Do not show what the model says to itself.")
  var hideThinking = false

  @Flag(help: "Take messages as JSON, one or a list of them a line, and write answers so.")
  var json = false

  @Option(
    name: [.customShort("n"), .long], parsing: .unconditional,
    help: ArgumentHelp(
      "Tokens of an answer at most; -1: until it ends or the context is full. (default: -1)",
      valueName: "n"),
    transform: { try FlagValue.integer($0, in: -1 ... .max) })
  var predict = -1

  @Option(
    name: [.customLong("stop"), .customShort("r"), .customLong("reverse-prompt")],
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("A text that ends an answer; repeatable.", valueName: "text"))
  var stop: [String] = []

  @OptionGroup(title: "Sampling") var sampling: SamplingFlags
  @OptionGroup(title: "Sampling") var grammar: GrammarOptions
  @OptionGroup(title: "Memory and machine") var context: ContextOptions
  @OptionGroup(title: "Memory and machine") var memory: MemoryOptions

  @Flag(name: [.customShort("q"), .long], help: "No notes and no progress on standard error.")
  var quiet = false

  /// A name that a template may look at, and its value.
  struct Variable: Sendable {
    let name: String
    let value: TemplateVariable
  }

  /// A value is JSON where it can be read so, and a text else.
  private static func variable(_ text: String) throws -> Variable {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty else {
      throw ValidationError("give a name and a value, such as enable_thinking=false")
    }
    let value = String(parts[1])
    let json = (try? JSON(text: value)) ?? .string(value)
    return Variable(name: String(parts[0]), value: .untrusted(json))
  }

  func run() async throws {
    let path = try await model.path()
    let chatTools = try tools.map { path throws(Failure) in try ChatTools(file: path) } ?? .none
    let source = try ChatFormat.Source(flag: chatTemplate)
    var engineOptions = memory.engineOptions(contextLength: context.ctxSize)
    engineOptions.warmStart = true
    engineOptions.holdsGrammars = grammar.isGiven
    let loading = ProgressBar("loading", isQuiet: quiet, format: ProgressBar.sizes)
    let engine = try await Engine(
      modelAt: path, options: engineOptions, progress: loading.update)
    loading.erase()
    let format = try ChatFormat(engine, wanted: source)
    if !quiet {
      for note in engine.tokenizer.notes + [format.note].compactMap(\.self) {
        StandardError.write("moe-run: note: \(note)\n")
      }
    }
    var options = GenerationOptions()
    options.tokenCountMax = predict == -1 ? nil : predict
    options.sampling = sampling.samplingOptions()
    options.stops = stop
    options.grammar = try grammar.outputGrammar(engine)
    options.promptProgress = ProgressBar("reading", isQuiet: quiet).update
    let conversation = Conversation(
      engine, format: format, options: options, tools: chatTools,
      variables: Dictionary(templateArgument.map { ($0.name, $0.value) }) { $1 },
      system: system)
    let isTyped = RawTerminal.isInput && !json
    let loop = ChatLoop(
      conversation, input: isTyped ? TerminalInput() : LineInput(), hidesThinking: hideThinking,
      writesJSON: json, isQuiet: quiet)
    if isTyped, !quiet { StandardError.write("/help lists the commands\n") }
    try await loop.run()
  }
}

extension ChatFormat.Source {
  /// What `--chat-template` names: a common form, or a file. Nil without it.
  init?(flag: String?) throws {
    guard let flag else { return nil }
    self =
      BuiltInTemplateRegistry.all.contains { $0.name == flag }
      ? .builtIn(flag) : .text(try InputText.file(flag))
  }
}
