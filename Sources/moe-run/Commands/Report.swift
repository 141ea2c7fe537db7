import ArgumentParser
import MoEAnalysis
import MoECore
import MoEReport
import MoERuntime

/// `moe-run report`: what memory buys with a model, as a page to look at.
struct Report: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what memory buys: speed by memory and disk, and how a model routes.",
    discussion: """
      A model reads texts, or a recorded trace stands for them. Standard output gets a screen of \
      text, or all figures with --json; -o writes a page that needs no network. Example: \
      moe-run report MODEL.gguf --text story.txt --text code.txt -o report.html

      A trace without its model gives hit rates; with --expert-bytes also what a disk allows. The \
      machine is measured once and the figures kept; only what --measure gives is from real runs.
      """)

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "What is looked at") var input: ReportInput

  @Option(
    name: [.customShort("o"), .long], parsing: .unconditional,
    help: ArgumentHelp("The page, an HTML file.", valueName: "file"),
    completion: .file(extensions: ["html"]))
  var output: String?

  @Flag(help: "Write all figures as JSON in place of the text.")
  var json = false

  @OptionGroup(title: "Speed") var table: ReportTableOptions
  @OptionGroup(title: "Memory and machine") var context: ContextOptions

  @Option(
    name: [.customShort("t"), .long],
    help: ArgumentHelp(
      "Worker threads, 1 to 256. (default: one per processor, or what a quota leaves)",
      valueName: "n"),
    transform: { try FlagValue.integer($0, in: 1...256) })
  var threads: Int?

  @OptionGroup(title: "Memory and machine") var experts: ExpertOptions

  @Flag(name: [.customShort("q"), .long], help: "Nothing on standard error but errors.")
  var quiet = false

  func run() async throws {
    try checkFlags()
    let page = try output.map { path throws(Failure) in try ReportFile(path, flag: "-o") }
    let frontier = try input.frontier.map { path throws(Failure) in try Self.frontier(path) }
    let runner = try runner()
    let path = model.isGiven ? try await model.path() : nil
    var sides = [try await side(model: path, trace: input.trace, runner)]
    if let other = input.compare {
      let isTrace = Self.isTrace(other)
      sides.append(
        try await side(model: isTrace ? nil : other, trace: isTrace ? other : nil, runner))
    }
    let document = ReportDocument(reports: sides, frontier: frontier)
    if let page {
      let text = ReportPage.text(document)
      guard text.utf8.count <= ReportPage.byteCountMax else {
        throw Failure.runtime(
          "the page would have \(ByteSize(text.utf8.count)), which no browser should have to open; "
            + "give fewer texts")
      }
      try page.write(text)
    }
    try StandardOutput.write(json ? JSONReport.text(document) : ReportText.text(document))
  }

  private func side(
    model: String?, trace: String?, _ runner: ReportRunner
  ) async throws -> ReportSide {
    guard let model else {
      guard let trace else { throw Failure.usage("give a model or --trace FILE") }
      return try runner.side(trace: trace)
    }
    return try await runner.side(model: model, trace: trace)
  }

  private func checkFlags() throws(Failure) {
    guard model.isGiven || input.trace != nil else {
      throw .usage("give a model (moe-run report MODEL.gguf --text FILE) or --trace FILE")
    }
    if model.isGiven { try model.check() }
    let needsTexts =
      (model.isGiven && input.trace == nil) || input.compare.map { !Self.isTrace($0) } ?? false
    guard !needsTexts || !input.text.isEmpty else {
      throw .usage("give texts that the model reads, with --text FILE, or its --trace")
    }
    guard needsTexts || input.text.isEmpty else {
      throw .usage("--text has no meaning with --trace, whose texts are recorded already")
    }
    guard model.isGiven || !table.measure else {
      throw .usage("--measure needs a model to run")
    }
    guard !model.isGiven || table.expertBytes == nil else {
      throw .usage("--expert-bytes is for a trace without its model, which knows its own")
    }
  }

  private func runner() throws -> ReportRunner {
    let texts = try input.text.map { path throws(Failure) in
      (label: TraceRecord.stem(path), text: try InputText.file(path))
    }
    return ReportRunner(
      texts: texts, parsesSpecialTokens: input.special.parsesSpecial,
      engineOptions: experts.engineOptions(
        memory: nil, threadCount: threads, contextLength: nil),
      sequenceTokenCount: input.sequenceLength, tokenCountMax: input.maxTokens,
      memories: table.memory.flatMap(\.self), diskRates: table.diskRates,
      expertByteCount: table.expertBytes, contextLength: context.ctxSize,
      probe: ProbeMode(rawValue: table.probe) ?? .cached, isMeasured: table.measure,
      isQuiet: quiet)
  }

  private static func isTrace(_ path: String) -> Bool {
    path.hasSuffix(".moetrace") || path.hasSuffix(".npz")
  }

  private static func frontier(_ path: String) throws(Failure) -> GatingFrontier {
    do {
      return try GatingFrontier(contentsOf: path)
    } catch {
      throw .runtime(error.description)
    }
  }
}
