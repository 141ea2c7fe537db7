import ArgumentParser
import MoECore
import MoERuntime

/// `moe-run bench`: how fast a model runs here, by prompt, text, context, budget and threads.
struct Bench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure the speed of prefill and decode, at one or several memory budgets.",
    discussion: """
      Prints one line for each test: pp512 reads a prompt of 512 tokens, tg64 generates 64, \
      tg64@d4096 does so with 4096 tokens in the context. Lists are separated by commas, and flags \
      may be repeated.

      Texts are drawn from the model itself at temperature 1: random tokens need other experts \
      than texts do. The first budget's engine writes the text of the prompts, so begin with the \
      largest.

      Without --cold one engine runs all tests of a budget, each of them once before it counts.
      """)

  @OptionGroup(title: "Model") var model: ModelOptions

  @Option(
    name: [.customShort("p"), .long],
    help: ArgumentHelp("Tokens of a prompt; 0: no such test. (default: 512)", valueName: "n,..."),
    transform: { try FlagValue.list($0) { try FlagValue.integer($0, in: 0...1 << 24) } })
  var nPrompt: [[Int]] = []

  @Option(
    name: [.customShort("n"), .long],
    help: ArgumentHelp("Tokens to generate; 0: no such test. (default: 64)", valueName: "n,..."),
    transform: { try FlagValue.list($0) { try FlagValue.integer($0, in: 0...1 << 24) } })
  var nGen: [[Int]] = []

  @Option(
    name: [.customShort("d"), .long],
    help: ArgumentHelp(
      "Tokens in the context before a test begins. (default: 0)", valueName: "n,..."),
    transform: { try FlagValue.list($0) { try FlagValue.integer($0, in: 0...1 << 24) } })
  var depth: [[Int]] = []

  @Option(
    name: [.customShort("r"), .long],
    help: ArgumentHelp("How often each test is measured. (default: 5)", valueName: "n"),
    transform: { try FlagValue.integer($0, in: 1...1000) })
  var repetitions = 5

  @Flag(
    help: "Measure with an engine of its own and without cached file pages, each time anew.")
  var cold = false

  @Option(
    name: [.customShort("f"), .long], parsing: .unconditional,
    help: ArgumentHelp(
      "A file with the text of the prompts, repeated where it is too short. "
        + "(default: drawn from the model)", valueName: "file"),
    completion: .file())
  var file: String?

  @Option(
    name: [.customShort("s"), .long], parsing: .unconditional,
    help: ArgumentHelp("Which texts are drawn. (default: 1)", valueName: "n"),
    transform: { try FlagValue.integer($0, in: 0 ... .max) })
  var seed = 1

  @Option(
    help: ArgumentHelp(
      "All that the process may hold: sizes, shares of the model's files, or none. "
        + "(default: none, what the cgroup or the machine has, less a reserve)",
      valueName: "size|%,..."),
    transform: { try FlagValue.list($0, Self.budget) })
  var memory: [[Budget]] = []

  @Option(
    name: [.customShort("t"), .long],
    help: ArgumentHelp(
      "Worker threads. (default: one per processor, or what a quota leaves)",
      valueName: "n,..."),
    transform: { try FlagValue.list($0) { try FlagValue.integer($0, in: 1...256) } })
  var threads: [[Int]] = []

  @OptionGroup(title: "Gating") var gating: GatingOptions
  @OptionGroup(title: "Memory and machine") var experts: ExpertOptions

  @Option(
    help: ArgumentHelp("Also write the lines as comma-separated values.", valueName: "file"),
    completion: .file())
  var csv: String?

  @Option(help: ArgumentHelp("Also write everything as JSON.", valueName: "file"))
  var json: String?

  @Flag(name: [.customShort("q"), .long], help: "No progress on standard error.")
  var quiet = false

  /// A memory budget and how it was written.
  struct Budget {
    let text: String
    /// Nil for `none`.
    let size: SizeSpecification?
  }

  private static func budget(_ text: String) throws -> Budget {
    if text == "none" { return Budget(text: text, size: nil) }
    do {
      return Budget(text: text, size: try SizeSpecification(parsing: text))
    } catch {
      throw ValidationError("give sizes such as 8G, shares such as 40%, or none")
    }
  }

  func run() async throws {
    let tests = tests
    guard !tests.isEmpty else {
      throw Failure.usage("nothing to measure: -p or -n must be above 0")
    }
    let path = try await model.path()
    let text = try file.map { path throws(Failure) in try InputText.file(path) }
    let csvFile = try csv.map { path throws(Failure) in try ReportFile(path, flag: "--csv") }
    let jsonFile = try json.map { path throws(Failure) in try ReportFile(path, flag: "--json") }
    var runner = BenchRunner(
      path: path,
      engineOptions: experts.engineOptions(memory: nil, threadCount: nil, contextLength: nil),
      tests: tests, settings: settings, repetitionCount: repetitions, isCold: cold,
      seed: UInt64(seed), isQuiet: quiet, text: text, gating: gating.gating)
    try runner.check()
    let plan = try Engine.plan(modelAt: path, options: runner.engineOptions)
    do {
      try await runner.run()
    } catch Failure.interrupted {
      // What was measured until then is given, and the exit code says the rest.
    }
    ProgressBar.eraseAny()
    let report = BenchReport(
      runner.rows, plan: plan, seed: UInt64(seed), prompt: file == nil ? "sampled" : "file",
      gating: gating.gating)
    try StandardOutput.write(BenchTable.text(report.rows))
    try csvFile?.write(BenchTable.csv(report.rows))
    try jsonFile?.write(JSONReport.text(report))
    try Interruption.check()
  }

  private var tests: [BenchTest] {
    func tests(_ phase: BenchTest.Phase, _ counts: [[Int]], _ standard: Int) -> [BenchTest] {
      let counts = counts.isEmpty ? [standard] : counts.flatMap(\.self)
      let depths = depth.isEmpty ? [0] : depth.flatMap(\.self)
      return depths.flatMap { depth in
        counts.filter { $0 > 0 }.map { BenchTest(phase: phase, tokenCount: $0, depth: depth) }
      }
    }
    return tests(.prefill, nPrompt, 512) + tests(.decode, nGen, 64)
  }

  private var settings: [BenchSetting] {
    let budgets = memory.isEmpty ? [Budget(text: "none", size: nil)] : memory.flatMap(\.self)
    let threadCounts: [Int?] = threads.isEmpty ? [nil] : threads.flatMap(\.self)
    return threadCounts.flatMap { threadCount in
      budgets.map {
        BenchSetting(memory: $0.size, budget: $0.text, threadCount: threadCount)
      }
    }
  }
}
