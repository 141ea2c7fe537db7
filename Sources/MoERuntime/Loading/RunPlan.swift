import MoECache
import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEStore

/// What a run will do with a model, a budget and a disk, decided from the file's header alone.
public struct RunPlan: Sendable, Codable {
  public var path: String
  public var modelName: String?
  public var architecture: String
  public var modelByteCount: Int
  /// (layer, by its number in the file): routed experts; 0 for a dense layer.
  public var expertCounts: [Int]
  /// (layer): routed experts that a token takes.
  public var expertsPerToken: [Int]
  /// Bytes of the routed experts in the files.
  public var expertByteCount: Int
  /// Bytes of routed experts that one token uses, hits and misses together.
  public var expertByteCountPerToken: Int
  /// Bytes that each token adds to what is kept of its sequence, windows not yet being full.
  public var keyValueByteCountPerToken: Int
  /// Bytes that are kept of a sequence however long it is: the states of recurrent layers.
  public var stateByteCountPerSequence: Int
  public var memory: MemoryPlan
  /// What experts are read from; nil where that is the model's own files.
  public var bundle: BundleSummary?
  /// How weights will be read, and why not in a better way.
  public var store: String
  public var cachePolicy: CachePolicy
  /// Who guesses which experts are prefetched.
  public var predictor: Predictor
  /// The name of the instruction set that the kernels use.
  public var instructionSet: String

  /// Where the number of threads comes from.
  public var threadNote: String

  public var layerCount: Int { expertCounts.count }
  /// What is missing of the files, for which a run would be refused; nil where nothing is known to.
  public var missing: String?
}

/// A checked plan together with what was read to make it.
struct PreparedRun {
  let header: LoadedHeader
  let options: EngineOptions
  let plan: MemoryPlan
  let threadCount: Int
  let processors: ProcessorCount
  let budget: MemoryBudget
  private let processByteCount: Int

  /// Reads the header, checks the options and divides the budget.
  init(path: String, options: EngineOptions) throws(EngineError) {
    try options.check()
    let loaded = try Self.header(path: path, options: options)
    self.options = options
    processors = .current
    threadCount = options.threadCount ?? processors.count
    let modelContext = loaded.description.contextLength
    let contextLength =
      options.contextLength.map { $0 == 0 ? modelContext : $0 }
      ?? min(modelContext, MemoryPlanner.contextLengthStandard)
    guard contextLength <= modelContext else {
      throw .invalidOption(
        name: "the context length", wanted: "at most \(modelContext), which the model was made for",
        found: "\(contextLength)")
    }
    try Self.check(options.kvCacheType, loaded.description)
    // By what is asked for, not by what fits: a budget changes no answer.
    header = loaded.adapted(toContext: contextLength)
    processByteCount = ProcessMemory.chargedByteCount()
    budget = MemoryBudget(
      options.memory, modelByteCount: header.byteCount, processByteCount: processByteCount)
    plan = try Self.planner(
      header, options: options, tensors: header.tensors, threadCount: threadCount,
      contextLength: contextLength, processByteCount: processByteCount, budget: budget
    ).fittingPlan()
  }

  /// The model's header, with the bundle that its experts are read from.
  private static func header(
    path: String, options: EngineOptions
  ) throws(EngineError) -> LoadedHeader {
    var loaded = try LoadedHeader(path: path)
    if loaded.bundle != nil {
      if case .file(let other) = options.bundle {
        throw .invalidOption(
          name: "the bundle", wanted: "left out for a model that is in a bundle itself",
          found: other)
      }
    } else if let bundle = try options.bundle.bundle(
      ofModelAt: loaded.files[0].path, mirrors: options.mirrors),
      // Answers change only where somebody wants it.
      options.bundle != .automatic || !bundle.isTernary
    {
      loaded = try loaded.reading(from: bundle)
    }
    guard options.holdsLowCopies else { return loaded }
    loaded = try loaded.readingLowCopies()
    guard loaded.tensors.lowExperts != nil else {
      throw .invalidOption(
        name: "the copies in fewer bits", wanted: "in a bundle of the model",
        found: loaded.bundle.map { "none in \($0.file.path)" } ?? "no bundle")
    }
    return loaded
  }

  private static func check(
    _ type: KVCacheType, _ description: ModelDescription
  ) throws(EngineError) {
    guard !description.canKeep(type.kvType) else { return }
    let possible = KVCacheType.allCases.filter { description.canKeep($0.kvType) }
    throw .invalidOption(
      name: "the type of keys and values",
      wanted: possible.map(\.rawValue).joined(separator: ", ")
        + " for this model, whose heads are not whole blocks of "
        + "\(type.kvType.blockElementCount) numbers", found: type.rawValue)
  }

  private static func planner(
    _ header: LoadedHeader, options: EngineOptions, tensors: ModelTensors, threadCount: Int,
    contextLength: Int, processByteCount: Int, budget: MemoryBudget
  ) -> MemoryPlanner {
    MemoryPlanner(
      description: header.description, tensors: tensors,
      modelByteCount: header.files.reduce(0) { $0 + $1.byteCount },
      options: options, threadCount: threadCount, contextLength: contextLength,
      processByteCount: processByteCount, budget: budget)
  }

  /// How the same run would divide another budget, or weights of other formats.
  func plan(tensors: ModelTensors, budgetByteCount: Int) throws(EngineError) -> MemoryPlan {
    var budget = budget
    budget.byteCount = budgetByteCount
    return try Self.planner(
      header, options: options, tensors: tensors, threadCount: threadCount,
      contextLength: plan.contextLength, processByteCount: processByteCount, budget: budget
    ).fittingPlan()
  }

  /// How the same run would divide its budget with another count of texts at a time.
  func plan(parallelRequestCount: Int) throws(EngineError) -> MemoryPlan {
    var options = options
    options.parallelRequestCount = parallelRequestCount
    // That of the run, whether or not it was asked for: texts are not to end earlier for company.
    options.contextLength = plan.contextLength
    try options.check()
    return try Self.planner(
      header, options: options, tensors: header.tensors, threadCount: threadCount,
      contextLength: plan.contextLength, processByteCount: processByteCount, budget: budget
    ).fittingPlan()
  }

  func runPlan(storeReport: String) -> RunPlan {
    let experts = header.tensors.experts
    let states = plan.stateLayout(header.description, type: options.kvCacheType.kvType)
    return RunPlan(
      path: header.files[0].path, modelName: header.name,
      architecture: header.description.architecture, modelByteCount: header.byteCount,
      expertCounts: experts.layers.map(\.expertCount),
      expertsPerToken: experts.layers.map(\.expertsPerToken), expertByteCount: experts.byteCount,
      expertByteCountPerToken: experts.byteCountPerToken,
      keyValueByteCountPerToken: states.byteCountPerPosition,
      stateByteCountPerSequence: states.stateByteCountPerSequence,
      memory: plan, bundle: header.bundle.map { BundleSummary($0, of: experts) },
      store: storeReport, cachePolicy: options.cachePolicy,
      predictor: options.predictor, instructionSet: InstructionSet.current.name,
      threadNote: options.threadCount == nil ? processors.note : "as given",
      missing: header.hole?.description)
  }

  var scratchLayout: ScratchLayout {
    ScratchLayout(
      description: header.description, tensors: header.tensors, tokenCount: plan.chunkTokenCount,
      logitRowCount: options.usedLogitRowCount)
  }

  func makeReader() throws(EngineError) -> ExtentReader {
    var mirrors: [[StoreFile]] = []
    for path in options.mirrors {
      mirrors.append(try ModelCopy.files(of: path, copying: header.files))
    }
    var limits = ExtentReader.Limits()
    limits.depth = options.inputDepth
    limits.tagCapacity = max(64, 2 * header.tensors.experts.expertCountMax)
    limits.partCapacity = limits.tagCapacity * max(1, header.tensors.experts.partCountMax)
    do {
      return try ExtentReader(
        files: header.files, mirrors: mirrors, backend: options.store.backend, limits: limits)
    } catch {
      throw .store(error.description)
    }
  }
}

extension EngineOptions {
  /// Refuses values that no model can be run with.
  func check() throws(EngineError) {
    func require(
      _ name: String, _ value: Int?, _ range: ClosedRange<Int>
    ) throws(EngineError) {
      if let value, !range.contains(value) {
        throw .invalidOption(
          name: name, wanted: "from \(range.lowerBound) to \(range.upperBound)", found: "\(value)")
      }
    }
    try require("the context length", contextLength, 0...1 << 24)
    try require("the thread count", threadCount, 1...256)
    try require("the chunk of prompt tokens", chunkTokenCount, 1...1 << 16)
    try require("the I/O depth", inputDepth, 1...1024)
    try require("the count of staging slots", stagingSlotCount, 1...256)
    try require("the count of timeline events", timelineEventCount, 0...1 << 28)
    try require("the count of logit rows", logitRowCount, 1...1 << 12)
    try require(
      "the count of requests at the same time", parallelRequestCount,
      1...Engine.parallelRequestCountMax)
    try require("the count of kept states", keptStateCount, 0...256)
    guard readBehindCount >= 0 && readBehindCount <= 65_536 else {
      throw .invalidOption(
        name: "the count of experts to read behind", wanted: "from 0 to 65536",
        found: "\(readBehindCount)")
    }
    try require("the length of the queue", queueLength, 0...1 << 20)
    guard prefillShare > 0 && prefillShare <= 1 else {
      throw .invalidOption(
        name: "the share of reading prompts", wanted: "above 0 and at most 1",
        found: "\(prefillShare)")
    }
  }

  /// Texts whose state is held at the same time.
  var sequenceCount: Int { parallelRequestCount + keptStateCount }

  /// Tokens that a step verifies of a text at most, besides the one that is certain.
  var draftTokenCountMax: Int { speculation == .off ? 0 : 8 }

  /// Rows of logits that there must be room for: those of every text in a step.
  var usedLogitRowCount: Int {
    max(logitRowCount, parallelRequestCount * (1 + draftTokenCountMax))
  }

  /// `stagingSlotCount`, or none where nobody guesses.
  var usedStagingSlotCount: Int? {
    predictor == .off ? 0 : stagingSlotCount
  }
}
