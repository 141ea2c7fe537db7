import ArgumentParser
import MoECore
import MoEReport
import MoERuntime
import MoETokenizer

/// `moe-run trace record`: the routing of texts.
struct TraceRecord: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "record",
    abstract: "Run texts through a model and record which experts each token takes.",
    discussion: """
      Each text is cut into sequences that start from an empty context; the name of its file \
      without folder and ending is their label. Example: \
      moe-run trace record MODEL.gguf --text story.txt --text code.txt -o routing.moetrace
      """)

  @OptionGroup(title: "Model") var model: ModelOptions

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Files with the texts, UTF-8.", valueName: "file"), completion: .file())
  var text: [String] = []

  @OptionGroup var special: SpecialTokenOptions

  @Option(
    name: [.customShort("o"), .long], parsing: .unconditional,
    help: ArgumentHelp("The trace, a .moetrace file.", valueName: "file"),
    completion: .file(extensions: ["moetrace"]))
  var output: String

  @Option(
    help: ArgumentHelp("Tokens of a sequence. (default: 512)", valueName: "n"),
    transform: { try FlagValue.integer($0, in: 1...1 << 24) })
  var sequenceLength = 512

  @Option(
    help: ArgumentHelp("Use only the start of each text. (default: all)", valueName: "n"),
    transform: { try FlagValue.integer($0, in: 1 ... .max) })
  var maxTokens: Int?

  @Flag(help: "Also record the router's logits for all experts.")
  var logits = false

  @OptionGroup(title: "Memory and machine") var memory: MemoryOptions

  @Flag(name: [.customShort("q"), .long], help: "Nothing on standard error but errors.")
  var quiet = false

  func run() async throws {
    let path = try await model.path()
    guard !text.isEmpty else { throw Failure.usage("give texts to record, with --text FILE") }
    let texts = try text.map { path throws(Failure) in
      (label: Self.stem(path), text: try InputText.file(path))
    }
    try Self.check(output, flag: "-o")
    let loading = ProgressBar("loading", isQuiet: quiet, format: ProgressBar.sizes)
    let engine = try await Engine(
      modelAt: path, options: memory.engineOptions(contextLength: sequenceLength),
      progress: loading.update)
    loading.erase()
    let recorded = try await record(texts, engine)
    guard !quiet else { return }
    let speed = Double(recorded.tokenCount) / max(recorded.seconds, 1e-9)
    StandardError.write(
      "recorded \(recorded.tokenCount) tokens in \(recorded.sequenceCount) sequences, "
        + "\(Decimals.text(speed, 1)) t/s | \(output), \(ByteSize(recorded.byteCount))\n")
  }

  /// Throws where a trace could not be written, before anything was done for it.
  static func check(_ path: String, flag: String) throws(Failure) {
    guard !path.isEmpty else { throw .usage("\(flag) needs the name of a file") }
    do {
      try RoutingTraceWriter.check(path)
    } catch {
      throw .runtime(error.description)
    }
  }

  private func record(
    _ texts: [(label: String, text: String)], _ engine: Engine
  ) async throws -> RecordedRouting {
    let samples = texts.map { label, text in
      let tokens = engine.tokenizer.encode(
        text, addSpecial: false, parseSpecial: special.parsesSpecial)
      return RoutingText(label: label, tokens: Array(tokens.prefix(maxTokens ?? tokens.count)))
    }
    var trace = RoutingTraceOptions(path: output)
    trace.includesLogits = logits
    let bar = ProgressBar("recording", isQuiet: quiet)
    let task = Task { [trace] in
      try await engine.recordRouting(
        of: samples, sequenceTokenCount: sequenceLength, to: trace, progress: bar.update)
    }
    Interruption.onFirstSignal { task.cancel() }
    defer { bar.erase() }
    return try await task.value
  }

  /// A file's name without its folder and its last ending.
  static func stem(_ path: String) -> String {
    let name = path.split(separator: "/").last ?? ""
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return String(name) }
    return String(name[..<dot])
  }
}
