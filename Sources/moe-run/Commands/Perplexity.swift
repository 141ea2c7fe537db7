import ArgumentParser
import MoECore
import MoERuntime

/// `moe-run perplexity`: how well a model predicts a text.
struct Perplexity: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure how well a model predicts a text.",
    discussion: """
      The text is cut into windows that are each read from an empty context. With --score \
      second-half and -c 512 the figure compares with that of llama.cpp's tool.
      """)

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Text") var prompt: PromptOptions
  @OptionGroup(title: "Text") var special: SpecialTokenOptions

  @Option(
    name: [.customShort("c"), .long],
    help: ArgumentHelp("Tokens per window; 0: the model's context. (default: 512)", valueName: "n"),
    transform: { $0 == "0" ? 0 : try FlagValue.integer($0, in: 2...1 << 24) })
  var ctxSize = 512

  @Option(
    help: ArgumentHelp(
      "Tokens from one window's start to the next. (default: the window)", valueName: "n"),
    transform: { try FlagValue.integer($0, in: 1...1 << 24) })
  var stride: Int?

  @Option(
    help: ArgumentHelp(
      "Which tokens count: \(scorings.joined(separator: ", ")) of each whole window. "
        + "(default: all)", valueName: "which"),
    transform: { try FlagValue.name($0, among: scorings) })
  var score = PerplexityOptions().scoring.rawValue

  @Option(
    help: ArgumentHelp("Use only the start of the text. (default: all)", valueName: "n"),
    transform: { try FlagValue.integer($0, in: 2 ... .max) })
  var maxTokens: Int?

  @OptionGroup(title: "Gating") var gating: GatingOptions
  @OptionGroup(title: "Memory and machine") var memory: MemoryOptions

  @Flag(help: "Write the result as JSON.")
  var json = false

  @Flag(name: [.customShort("q"), .long], help: "No progress on standard error.")
  var quiet = false

  private static let scorings = PerplexityOptions.Scoring.allCases.map(\.rawValue)

  func validate() throws {
    if let stride, ctxSize > 0, stride > ctxSize {
      throw ValidationError(
        "--stride must be at most the window (-c) of \(ctxSize), but is \(stride)")
    }
  }

  func run() async throws {
    let path = try await model.path()
    let text = try prompt.text()
    var engineOptions = memory.engineOptions(contextLength: ctxSize)
    // Every position's logits are wanted here; some at once save passes over the output matrix.
    engineOptions.logitRowCount = 16
    let loading = ProgressBar("loading", isQuiet: quiet, format: ProgressBar.sizes)
    let engine = try await Engine(
      modelAt: path, options: engineOptions, progress: loading.update)
    loading.erase()

    let options = perplexityOptions(engine.plan)
    let task = Task { try await engine.perplexity(of: text, options) }
    Interruption.onFirstSignal { task.cancel() }
    let result = try await task.value
    ProgressBar.eraseAny()
    let report = PerplexityReport(result, plan: engine.plan, options: options)
    try StandardOutput.write(json ? JSONReport.text(report) : report.text)
  }

  private func perplexityOptions(_ plan: RunPlan) -> PerplexityOptions {
    var options = PerplexityOptions()
    options.windowTokenCount = plan.memory.contextLength
    options.stride = stride
    options.gating = gating.gating
    options.scoring = PerplexityOptions.Scoring(rawValue: score) ?? options.scoring
    options.parsesSpecialTokens = special.parsesSpecial
    options.tokenCountMax = maxTokens
    options.progress = ProgressBar("reading the text", isQuiet: quiet).update
    return options
  }
}
