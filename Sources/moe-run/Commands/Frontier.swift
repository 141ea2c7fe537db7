import ArgumentParser
import MoEAnalysis
import MoECore
import MoERuntime
import MoETokenizer

/// `moe-run frontier`: what gatings cost in perplexity and save in reads and time.
struct Frontier: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure what dynamic gating costs in perplexity and saves in reads and time.",
    discussion: """
      Each setting predicts the same texts; then the start of each text is decoded token by token \
      for reads and speed, in rounds over all settings, of which the median counts. Gatings that \
      look at what is in memory read all of the texts token by token. Example: \
      moe-run frontier MODEL.gguf --text story.txt --expert-pool 25% -o frontier.json
      """)

  @OptionGroup(title: "Model") var model: ModelOptions

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Files with the texts, UTF-8.", valueName: "file"), completion: .file())
  var text: [String] = []

  @OptionGroup var special: SpecialTokenOptions

  @Option(
    help: ArgumentHelp(
      "A setting to measure, besides off; may be repeated. (default: some of each kind) "
        + "Kinds: " + GatingOptions.kinds + ".", valueName: "kind"),
    transform: FlagValue.gating)
  var gating: [GatingSpecification] = []

  @Option(
    name: [.customShort("c"), .long],
    help: ArgumentHelp("Tokens per window; 0: the model's context. (default: 512)", valueName: "n"),
    transform: { $0 == "0" ? 0 : try FlagValue.integer($0, in: 2...1 << 24) })
  var ctxSize = 512

  @Option(
    help: ArgumentHelp(
      "Use only the start of each text; 0: all of it. (default: 4096)", valueName: "n"),
    transform: { try FlagValue.integer($0, in: 0 ... .max) })
  var maxTokens = 4096

  @Option(
    help: ArgumentHelp("Tokens of each text that are decoded. (default: 256)", valueName: "n"),
    transform: { try FlagValue.integer($0, in: 2 ... .max) })
  var decodeTokens = 256

  @Option(
    name: [.customShort("r"), .long],
    help: ArgumentHelp("Rounds of decoding. (default: 3)", valueName: "n"),
    transform: { try FlagValue.integer($0, in: 1...1000) })
  var rounds = 3

  @Option(
    name: [.customShort("o"), .long], parsing: .unconditional,
    help: ArgumentHelp("Also write the measurements as JSON.", valueName: "file"),
    completion: .file(extensions: ["json"]))
  var output: String?

  @OptionGroup(title: "Memory and machine") var memory: MemoryOptions

  @Flag(name: [.customShort("q"), .long], help: "No progress on standard error.")
  var quiet = false

  /// The pool where neither flag says anything.
  private static let pool = SizeSpecification.fraction(0.25)

  func run() async throws {
    let path = try await model.path()
    guard !text.isEmpty else { throw Failure.usage("give texts to predict, with --text FILE") }
    let contents = try text.map { path throws(Failure) in try InputText.file(path) }
    let outputFile = try output.map { path throws(Failure) in try ReportFile(path, flag: "-o") }
    var options = memory.engineOptions(contextLength: ctxSize)
    options.logitRowCount = 16
    if memory.memory == nil && options.expertPool == nil && options.placement == .automatic {
      options.expertPool = Self.pool
    }
    let loading = ProgressBar("loading", isQuiet: quiet, format: ProgressBar.sizes)
    let engine = try await Engine(modelAt: path, options: options, progress: loading.update)
    loading.erase()

    let texts = try tokens(of: contents, engine)
    let candidates =
      try gating.isEmpty
      ? GatingCandidates.all(
        expertsPerToken: engine.plan.expertsPerToken.max() ?? 0,
        layerCount: engine.plan.layerCount)
      : gating
    let measurement = GatingMeasurement(
      engine: engine, texts: texts, windowTokenCount: engine.plan.memory.contextLength,
      decodedTokenCount: decodeTokens,
      roundCount: rounds, isQuiet: quiet)
    let (points, scoredTokenCount) = try await measurement.points(candidates)
    let frontier = GatingFrontier(
      model: engine.plan.modelName ?? path, texts: text.map(Self.name),
      scoredTokenCount: scoredTokenCount, memory: memoryText(options), points: points)
    try StandardOutput.write(FrontierTable.text(frontier))
    try outputFile?.write(JSONReport.text(frontier))
  }

  private func tokens(of contents: [String], _ engine: Engine) throws(Failure) -> [[Int32]] {
    var texts: [[Int32]] = []
    for (path, content) in zip(text, contents) {
      let tokens = engine.tokenizer.encode(
        content, addSpecial: false, parseSpecial: special.parsesSpecial)
      guard tokens.count >= 2 else {
        throw .usage("the text '\(path)' has \(tokens.count) tokens; give at least 2")
      }
      texts.append(Array(tokens.prefix(maxTokens == 0 ? tokens.count : maxTokens)))
    }
    return texts
  }

  /// The memory as the flags have it.
  private func memoryText(_ options: EngineOptions) -> String {
    [
      memory.memory.map { "\(Self.short($0)) of memory" },
      options.expertPool.map { "\(Self.short($0)) of experts" },
    ].compactMap(\.self).joined(separator: ", ")
  }

  /// 25%, not 25.0%.
  private static func short(_ size: SizeSpecification) -> String {
    let text = size.description
    return text.hasSuffix(".0%") ? text.dropLast(3) + "%" : text
  }

  /// A file's name without its folder.
  private static func name(_ path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }
}
