import ArgumentParser
import MoECore
import MoERuntime

/// What a report is of.
struct ReportInput: ParsableArguments {
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Texts that the model reads, UTF-8; each file is a kind of text.", valueName: "file"),
    completion: .file())
  var text: [String] = []

  @OptionGroup var special: SpecialTokenOptions

  @Option(
    help: ArgumentHelp(
      "A routing trace (.moetrace or .npz): of the model, in place of texts, or without one.",
      valueName: "file"),
    completion: .file(extensions: ["moetrace", "npz"]))
  var trace: String?

  @Option(
    help: ArgumentHelp(
      "A second model, which reads the same texts, or a second trace, to put beside the first.",
      valueName: "file"),
    completion: .file(extensions: ["gguf", "moetrace", "npz"]))
  var compare: String?

  @Option(
    help: ArgumentHelp(
      "What dynamic gating costs and saves, as 'moe-run frontier' wrote it.", valueName: "file"),
    completion: .file(extensions: ["json"]))
  var frontier: String?

  @Option(
    help: ArgumentHelp("Tokens of a sequence. (default: 512)", valueName: "n"),
    transform: { try FlagValue.integer($0, in: 1...1 << 24) })
  var sequenceLength = 512

  @Option(
    help: ArgumentHelp("Use only the start of each text. (default: all)", valueName: "n"),
    transform: { try FlagValue.integer($0, in: 1 ... .max) })
  var maxTokens: Int?
}

/// What the table of speeds is of.
struct ReportTableOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The memories of the table: sizes, or shares of the model's files. "
        + "(default: six, from the smallest to one that holds all experts)", valueName: "size|%,..."
    ),
    transform: { try FlagValue.list($0, FlagValue.size) })
  var memory: [[SizeSpecification]] = []

  @Option(
    help: ArgumentHelp(
      "The disks of the table, in GB/s, besides this machine's. (default: 0.5,1,3,7)",
      valueName: "x,..."),
    transform: {
      try FlagValue.list($0) { Double(try FlagValue.number($0, in: 0...1e6, isOpen: true)) }
    })
  var disks: [[Double]] = []

  @Option(
    help: ArgumentHelp(
      "Size of one expert, for a trace without its model: what the disk alone allows.",
      valueName: "size"),
    transform: {
      guard let size = ByteSize(parsing: $0), size.byteCount > 0, size.byteCount <= 1 << 40 else {
        throw ValidationError("give a size from 1 to 1T, such as 2M")
      }
      return size.byteCount
    })
  var expertBytes: Int?

  @Flag(help: "Also run the model in each memory of the table, and put what that gives beside it.")
  var measure = false

  @Option(
    help: ArgumentHelp(
      "Measuring the machine, in at most 10 seconds: fresh (now) or cached (where no figures are "
        + "kept from before). (default: cached)", valueName: "when"),
    transform: {
      let modes = ProbeMode.allCases.filter { $0 != .none }
      return try FlagValue.name($0, among: modes.map(\.rawValue))
    })
  var probe = ProbeMode.cached.rawValue

  static let standardDisks = [0.5, 1, 3, 7]

  /// Bytes per second.
  var diskRates: [Double] {
    (disks.isEmpty ? Self.standardDisks : disks.flatMap(\.self)).prefix(8).map { $0 * 1e9 }
  }
}
