public import MoECore

/// How a model is to be loaded. Every value has a default that suits most runs.
public struct EngineOptions: Hashable, Sendable {
  /// Everything the process may make the machine hold: `8G`, or a share of the model's files. Nil:
  /// the cgroup's limit or the available memory, whichever is less, minus a reserve.
  public var memory: SizeSpecification?
  /// Caps the pool of routed experts alone: a size, or a share of all experts. Nil: what the memory
  /// budget leaves.
  public var expertPool: SizeSpecification?
  /// Positions that keys and values are held for; 0: the model's own. Nil: the model's own, at most
  /// 4096, and down to 1024 where only so many fit the memory.
  public var contextLength: Int?
  /// Requests that run at the same time: a step computes the next tokens of all of them and reads
  /// an expert once for all. Does not change results.
  public var parallelRequestCount = 1
  /// Texts besides whose state is kept, for sessions and for requests that begin alike
  /// (`GenerationOptions.keepsState`), each of up to `contextLength` positions.
  public var keptStateCount = 0
  /// Requests that may wait for their turn; one more is refused. Nil: any number.
  public var queueLength: Int?
  /// Of the time in which texts are generated, the share that reading other prompts may take; above
  /// 0, up to 1.
  public var prefillShare = 0.5
  /// Whether there is to be memory for grammars (`Engine.grammar`), which take it out of the
  /// budget.
  public var holdsGrammars = false
  /// Whether tokens are guessed and verified several at a time. Does not change results.
  public var speculation = Speculation.off
  /// Nil: one per processor that the process may run on, or as many as its quota of processor time
  /// has whole processors.
  public var threadCount: Int?
  /// Number type of keys and values. Changes results: less than 16 bits cost some accuracy.
  public var kvCacheType = KVCacheType.f16
  /// Prompt tokens that are run together. Nil: up to 2048, fewer where memory is scarce. Does not
  /// change results.
  public var chunkTokenCount: Int?
  /// How weights are read.
  public var store = Store.automatic
  /// Copies of the model's file on other disks; of a model in several files, any file of the copy.
  /// Reads go to the disk that will answer first. Does not change results.
  public var mirrors: [String] = []
  /// A bundle of the model's experts, which are then read from there. Does not change results where
  /// its codecs are lossless.
  public var bundle = BundleChoice.automatic
  /// Whether the bundle's copies of all experts in fewer bits are held in memory, for gatings that
  /// answer misses from them (`miss-low`). By itself changes no result.
  public var holdsLowCopies = false
  /// Experts that such copies have answered for and that are read all the same, for the next time:
  /// so many for each step at most.
  public var readBehindCount = 2.0
  /// Reads in flight at once, 1 to 1024.
  public var inputDepth = 32
  /// Who guesses which experts are prefetched. Does not change results.
  public var predictor = Predictor.standard
  /// Slots, of each size that experts have, for experts that are read before a layer asks for them,
  /// 1 to 256. Nil: derived from the pool, and prefetching is tried out first. Does not change
  /// results.
  public var stagingSlotCount: Int?
  /// How the cache chooses whom to evict.
  public var cachePolicy = CachePolicy.standard
  /// Whether the experts that the last run used most are read into the pool before anything asks
  /// for them, and those of this run remembered in the user's cache folder. Changes no result, but
  /// how many requests find their expert in memory.
  public var warmStart = false
  /// Whether a model that fits in the budget is read whole at load.
  public var placement = ExpertPlacement.automatic
  /// Rows of logits that are computed at once; more than 1 serves `perplexity` alone.
  public var logitRowCount = 1
  /// Events that the timeline of a generation has room for (`Engine.writeTimeline`), 48 bytes each
  /// out of the memory budget; a token takes about a hundred for each layer. 0: none is recorded.
  public var timelineEventCount = 0

  public init() {}
}

extension EngineOptions: Codable {
  /// What is not there has its default.
  public init(from decoder: any Swift.Decoder) throws {
    self.init()
    let values = try decoder.container(keyedBy: CodingKeys.self)
    try values.read(&memory, .memory)
    try values.read(&expertPool, .expertPool)
    try values.read(&contextLength, .contextLength)
    try values.read(&parallelRequestCount, .parallelRequestCount)
    try values.read(&keptStateCount, .keptStateCount)
    try values.read(&queueLength, .queueLength)
    try values.read(&prefillShare, .prefillShare)
    try values.read(&holdsGrammars, .holdsGrammars)
    try values.read(&speculation, .speculation)
    try values.read(&threadCount, .threadCount)
    try values.read(&kvCacheType, .kvCacheType)
    try values.read(&chunkTokenCount, .chunkTokenCount)
    try values.read(&store, .store)
    try values.read(&mirrors, .mirrors)
    try values.read(&bundle, .bundle)
    try values.read(&holdsLowCopies, .holdsLowCopies)
    try values.read(&readBehindCount, .readBehindCount)
    try values.read(&inputDepth, .inputDepth)
    try values.read(&predictor, .predictor)
    try values.read(&stagingSlotCount, .stagingSlotCount)
    try values.read(&cachePolicy, .cachePolicy)
    try values.read(&warmStart, .warmStart)
    try values.read(&placement, .placement)
    try values.read(&logitRowCount, .logitRowCount)
    try values.read(&timelineEventCount, .timelineEventCount)
  }
}

extension KeyedDecodingContainer {
  /// Replaces a value by the one that is there, if one is.
  func read<Value: Decodable>(_ value: inout Value, _ key: Key) throws {
    if let found = try decodeIfPresent(Value.self, forKey: key) { value = found }
  }
}

/// Who guesses which tokens come next, so that a step verifies several.
public enum Speculation: String, Sendable, CaseIterable, Codable {
  case off
  /// The text itself: what followed its last tokens where they stood before.
  case ngram
}

/// Number type of cached keys and values; those of fewer bits than f16 follow it, the most exact
/// first.
public enum KVCacheType: String, Sendable, CaseIterable, Codable {
  case f16, f32, bf16
  /// Blocks of 32 numbers of a head, in 8 bits or 4: only for models whose heads are whole blocks.
  case q8_0, q4_0
}

/// Whether experts are read from a bundle.
public enum BundleChoice: Hashable, Sendable, Codable {
  /// From the one beside the model that has its name, with `.moebundle` instead of `.gguf`; from
  /// the model's own files where there is none, where they have copies on other disks, and where
  /// the bundle's experts are ternary in place of the model's.
  case automatic
  /// From the model's own files; a model that is in a bundle itself is always read from that.
  case none
  case file(String)
}

/// Where routed experts are kept.
public enum ExpertPlacement: String, Sendable, CaseIterable, Codable {
  /// In memory as a whole where they fit the budget, else offloaded.
  case automatic
  /// All in memory, read at load.
  case resident
  /// In a pool, read as they are needed.
  case offloaded
}
