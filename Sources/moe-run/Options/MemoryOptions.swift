import ArgumentParser
import MoECore
import MoERuntime

/// What a run may take of the machine, and how it uses it.
struct MemoryOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "All that the process may hold: 8G, 512M, or a share of the model's files. "
        + "(default: what the cgroup or the machine has, less a reserve)",
      valueName: "size|%"),
    transform: FlagValue.size)
  var memory: SizeSpecification?

  @OptionGroup var experts: ExpertOptions

  @Option(
    name: [.customShort("t"), .long],
    help: ArgumentHelp(
      "Worker threads, 1 to 256. (default: one per processor, or what a quota leaves)",
      valueName: "n"),
    transform: { try FlagValue.integer($0, in: 1...256) })
  var threads: Int?

  @Option(
    help: ArgumentHelp(
      "Who guesses tokens, so that a step verifies several: off, or ngram (the text itself, where "
        + "it repeats what it said); does not change results. (default: off)", valueName: "name"),
    transform: { try FlagValue.name($0, among: Speculation.allCases.map(\.rawValue)) })
  var speculate = Speculation.off.rawValue

  /// - Parameter contextLength: Nil: the engine's default.
  func engineOptions(contextLength: Int?) -> EngineOptions {
    var options = experts.engineOptions(
      memory: memory, threadCount: threads, contextLength: contextLength)
    options.speculation = Speculation(rawValue: speculate) ?? .off
    return options
  }
}

/// How a run uses what it may take: where experts are and how they get there.
struct ExpertOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Caps the pool of routed experts: a size, or a share of all experts. "
        + "(default: what the budget leaves)",
      valueName: "size|%"),
    transform: FlagValue.size)
  var expertPool: SizeSpecification?

  @Option(
    help: ArgumentHelp(
      "Where experts are kept: auto (resident where all fit), resident, or offloaded (read as "
        + "needed).", valueName: "where"))
  var placement = PlacementFlag.auto

  @Option(
    help: ArgumentHelp(
      "Who is evicted from the pool: "
        + FlagValue.summaries(CachePolicy.self)
        + ". (default: \(defaults.cachePolicy))", valueName: "name"),
    transform: FlagValue.choice)
  var cachePolicy = defaults.cachePolicy

  @Option(
    help: ArgumentHelp(
      "How weights are read: "
        + FlagValue.summaries(Store.self)
        + ". (default: \(defaults.store))", valueName: "name"),
    transform: FlagValue.choice)
  var store = defaults.store

  @Option(
    help: ArgumentHelp(
      "Reads in flight at once, 1 to 1024. (default: \(defaults.inputDepth))", valueName: "n"),
    transform: { try FlagValue.integer($0, in: 1...1024) })
  var ioDepth = defaults.inputDepth

  @Option(
    help: ArgumentHelp(
      "A copy of the model's file on another disk, to be read at the same time; repeatable.",
      valueName: "file"),
    completion: .file())
  var mirror: [String] = []

  @Option(
    help: ArgumentHelp(
      "A bundle of the model's experts, which are then read from it. "
        + "(default: the model's name with .moebundle, where there is one)",
      valueName: "file"),
    completion: .file(extensions: ["moebundle"]))
  var bundle: String?

  @Flag(help: "Read experts from the model's own file, whatever is beside it.")
  var noBundle = false

  @Flag(
    help: ArgumentHelp(
      "Hold the bundle's copies of all experts in fewer bits in memory, for --on-miss and "
        + "--gating miss-low."))
  var lowResident = false

  @Option(
    help: ArgumentHelp(
      "Experts that such copies have answered for and that are read all the same, for the next "
        + "time: so many a token at most. (default: \(FlagValue.short(defaults.readBehindCount)))",
      valueName: "n"),
    transform: { Double(try FlagValue.number($0, in: 0...65536)) })
  var readBehind = defaults.readBehindCount

  @Option(
    help: ArgumentHelp(
      "Who guesses which experts are prefetched, read before they are asked for: "
        + FlagValue.summaries(Predictor.self)
        + "; does not change results. (default: \(defaults.predictor))", valueName: "name"),
    transform: FlagValue.choice)
  var predictor = defaults.predictor

  @Option(
    help: ArgumentHelp(
      "Slots, of each size that experts have, for reading experts ahead, 1 to 256; does not change "
        + "results. (default: up to 4, used as far as a trial while decoding says that it pays)",
      valueName: "n"),
    transform: { try FlagValue.integer($0, in: 1...256) })
  var stagingSlots: Int?

  @Option(
    help: ArgumentHelp(
      "Number type of keys and values: \(kvTypes.joined(separator: ", ")). "
        + "(default: \(defaults.kvCacheType.rawValue))", valueName: "type"),
    transform: { try FlagValue.name($0, among: kvTypes) })
  var kvType = defaults.kvCacheType.rawValue

  @Option(
    help: ArgumentHelp(
      "Prompt tokens that are run together; does not change results. "
        + "(default: up to 2048, fewer where memory is scarce)", valueName: "n"),
    transform: { try FlagValue.integer($0, in: 1...1 << 16) })
  var chunk: Int?

  private static let defaults = EngineOptions()
  private static let kvTypes = KVCacheType.allCases.map(\.rawValue)

  func validate() throws {
    if noBundle, let bundle {
      throw ValidationError("give --bundle \(bundle) or --no-bundle, not both")
    }
  }

  /// - Parameters:
  ///   - memory: Nil: what the machine has, less a reserve.
  ///   - threadCount: Nil: one per processor.
  ///   - contextLength: Nil: the engine's default.
  func engineOptions(
    memory: SizeSpecification?, threadCount: Int?, contextLength: Int?
  ) -> EngineOptions {
    var options = EngineOptions()
    options.memory = memory
    options.expertPool = expertPool
    options.contextLength = contextLength
    options.threadCount = threadCount
    options.kvCacheType = KVCacheType(rawValue: kvType) ?? options.kvCacheType
    options.chunkTokenCount = chunk
    options.store = store
    options.inputDepth = ioDepth
    options.mirrors = mirror
    options.bundle = noBundle ? .none : bundle.map { .file($0) } ?? .automatic
    options.holdsLowCopies = lowResident
    options.readBehindCount = readBehind
    options.predictor = predictor
    options.stagingSlotCount = stagingSlots
    options.cachePolicy = cachePolicy
    options.placement = placement.placement
    return options
  }
}

extension DefaultStringInterpolation {
  /// A registry's summary line inside brackets: small first letter, no full stop.
  mutating func appendInterpolation(summary: String) {
    let text = summary.hasSuffix(".") ? summary.dropLast() : summary[...]
    appendLiteral(text.prefix(1).lowercased() + text.dropFirst())
  }
}
