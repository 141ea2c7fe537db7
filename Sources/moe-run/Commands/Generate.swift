import ArgumentParser
import MoECore
import MoERuntime
import MoETokenizer

/// `moe-run generate`: continues a text.
struct Generate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Continue a text (the default subcommand).",
    discussion: """
      The text goes to standard output as it is made, everything else to standard error. The first \
      Ctrl-C ends the generation, the second the program.
      """)

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Text") var prompt: PromptOptions
  @OptionGroup(title: "Text") var specialTokens: SpecialTokenOptions

  @Option(
    name: [.customShort("n"), .long], parsing: .unconditional,
    help: ArgumentHelp(
      "Tokens to generate at most; -1: until the model ends its text or the context is full. "
        + "(default: 256)",
      valueName: "n"),
    transform: { try FlagValue.integer($0, in: -1 ... .max) })
  var predict = 256

  @Option(
    name: [.customLong("stop"), .customShort("r"), .customLong("reverse-prompt")],
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "A text that ends the generation where it appears, and is left out; repeatable.",
      valueName: "text"))
  var stop: [String] = []

  @Flag(help: "Go on where the model would end its text.")
  var ignoreEos = false

  @Flag(
    name: [.customLong("no-echo"), .customLong("no-display-prompt")],
    help: "Do not write the prompt before its continuation.")
  var hidesPrompt = false

  @Flag(help: "Write special tokens that the model generates as their names.")
  var special = false

  @Option(
    help: ArgumentHelp(
      "Let tokens take fewer or other experts, which changes the text: " + GatingOptions.kinds
        + ", or auto:B% (the fastest that raises perplexity by at most B percent, as measured "
        + "first). (default: off)", valueName: "kind"),
    transform: GatingRequest.init(parsing:))
  var gating = GatingRequest.fixed(.off)

  @Option(
    help: ArgumentHelp(
      "What becomes of an expert that is not in memory: wait, low[:H] (its copy in fewer bits "
        + "answers once better ones carry H of the weight; without H always) or skip[:T] (it is "
        + "left out once better ones carry T, usually 0.9). Short for --gating. (default: wait)",
      valueName: "what"),
    transform: GatingRequest.onMiss)
  var onMiss: GatingRequest?

  @Option(
    help: ArgumentHelp(
      "A file with the text that --gating auto measures on. (default: one that comes with the "
        + "program: a story, dialogue, German, code and sums)", valueName: "file"),
    completion: .file())
  var calibration: String?

  @OptionGroup(title: "Sampling") var sampling: SamplingFlags
  @OptionGroup(title: "Sampling") var grammar: GrammarOptions
  @OptionGroup(title: "Memory and machine") var context: ContextOptions
  @OptionGroup(title: "Memory and machine") var memory: MemoryOptions

  @Option(
    help: ArgumentHelp(
      "Write what the run cost to a file, as one JSON object.",
      valueName: "file"),
    completion: .file())
  var statsJson: String?

  @Option(
    help: ArgumentHelp(
      "Write what the run spent its time on to a file: a timeline that Perfetto opens.",
      valueName: "file"),
    completion: .file())
  var timeline: String?

  @Option(
    help: ArgumentHelp(
      "Record which experts each token takes, in a .moetrace file (see 'moe-run trace').",
      valueName: "file"),
    completion: .file(extensions: ["moetrace"]))
  var trace: String?

  @Flag(
    name: .customLong("no-warm-start"),
    help: ArgumentHelp(
      "Start with an empty pool, and do not remember which experts this run used most; the next "
        + "run would read them while nothing else is to be read. With --gating so as well."))
  var startsCold = false

  @Flag(name: [.customShort("q"), .long], help: "No progress and no statistics on standard error.")
  var quiet = false

  func validate() throws {
    if onMiss != nil, gating != .fixed(.off) {
      throw ValidationError("give --on-miss or --gating, not both")
    }
    if case .fixed = gating, calibration != nil {
      throw ValidationError("--calibration has no meaning without --gating auto:B%")
    }
  }

  func run() async throws {
    let path = try await model.path()
    let text = try promptText()
    let calibrationText = try calibration.map { path throws(Failure) in
      try InputText.file(path)
    }
    let reportFile = try statsJson.map { path throws(Failure) in
      try ReportFile(path, flag: "--stats-json")
    }
    let timelineFile = try timeline.map { path throws(Failure) in
      try ReportFile(path, flag: "--timeline")
    }
    if let trace { try TraceRecord.check(trace, flag: "--trace") }
    var engineOptions = memory.engineOptions(contextLength: context.ctxSize)
    // What is in memory may decide what a gating chooses, and the same run must give the same text.
    engineOptions.warmStart = !startsCold && !isGated
    engineOptions.holdsGrammars = grammar.isGiven
    if timeline != nil { engineOptions.timelineEventCount = Self.timelineEventCount }

    let loadStart = MonotonicClock.nanoseconds()
    let loading = ProgressBar("loading", isQuiet: quiet, format: ProgressBar.sizes)
    let engine = try await Engine(
      modelAt: path, options: engineOptions, progress: loading.update)
    loading.erase()
    let loadSeconds = Double(MonotonicClock.nanoseconds() - loadStart) * 1e-9
    if !quiet {
      for note in engine.tokenizer.notes { StandardError.write("moe-run: note: \(note)\n") }
    }

    var options = generationOptions()
    options.grammar = try grammar.outputGrammar(engine)
    options.gating = try await chosenGating(engine, calibrationText)
    guard let statistics = try await write(engine.generate(text, options), after: text) else {
      throw CancellationError()
    }
    if !quiet { StandardError.write(StatisticsLine.text(statistics) + "\n") }
    if let reportFile {
      let report = GenerationReport(
        statistics, plan: engine.plan, options: options, loadSeconds: loadSeconds)
      try reportFile.write(JSONReport.text(report))
    }
    if let timelineFile {
      let summary = try await timelineFile.write { write in
        do {
          return try await engine.writeTimeline(to: write)
        } catch let error as EngineError {
          if case .output(let cause) = error { throw cause }
          throw error
        }
      }
      if !quiet { StandardError.write(TimelineLine.text(summary) + "\n") }
    }
    try Interruption.check()
  }

  private var wantedGating: GatingRequest { onMiss ?? gating }

  private var isGated: Bool { wantedGating != .fixed(.off) }

  /// 24 MiB: some hundred tokens of most models.
  private static let timelineEventCount = 1 << 19

  /// The prompt; one line break at the end of a file is the editor's and not meant.
  private func promptText() throws(Failure) -> String {
    let text = try prompt.text()
    return prompt.prompt == nil ? InputText.withoutLastLineBreak(text) : text
  }

  /// The gating of the run; what `auto` found is said.
  private func chosenGating(
    _ engine: Engine, _ text: String?
  ) async throws -> GatingSpecification {
    switch wantedGating {
    case .fixed(let gating): return gating
    case .automatic(let bound):
      let outcome = try await GatingCalibration(engine: engine, bound: bound, isQuiet: quiet)
        .run(on: text)
      if !quiet { StandardError.write(outcome.text + "\n") }
      return outcome.gating
    }
  }

  private func generationOptions() -> GenerationOptions {
    var options = GenerationOptions()
    options.tokenCountMax = predict == -1 ? nil : predict
    options.sampling = sampling.samplingOptions()
    options.ignoresEnd = ignoreEos
    options.stops = stop
    options.parsesSpecialTokens = specialTokens.parsesSpecial
    options.rendersSpecialTokens = special
    options.routingTrace = trace.map { RoutingTraceOptions(path: $0) }
    options.promptProgress = ProgressBar("reading the prompt", isQuiet: quiet).update
    return options
  }

  /// Writes the text as it is made, and a line break at its end where it has none. The prompt comes
  /// with the first token: until then the terminal's line may hold a progress bar.
  ///
  /// - Returns: What the generation did; nil where it was cancelled from outside.
  private func write(
    _ generation: Generation, after prompt: String
  ) async throws -> GenerationStatistics? {
    Interruption.onFirstSignal { generation.stop() }
    var pending = hidesPrompt ? "" : prompt
    var endsLine = true
    func write(_ text: String) throws(Failure) {
      guard let last = text.unicodeScalars.last else { return }
      try StandardOutput.write(text)
      endsLine = last == "\n"
    }
    for try await token in generation {
      ProgressBar.eraseAny()
      try write(pending + token.text)
      pending = ""
    }
    ProgressBar.eraseAny()
    try write(pending)
    if !endsLine { try write("\n") }
    return generation.statistics
  }
}
