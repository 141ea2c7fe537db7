import MoECore
import MoERuntime

/// What `plan --json` writes, these properties in snake_case as its keys.
struct PlanReport: Encodable {
  /// Who gets memory; `basis` is measured, derived, default or user.
  struct Row: Encodable {
    let name: String
    let bytes: Int
    let basis: MemoryPlan.Basis
    let note: String

    init(_ row: MemoryPlan.Row) {
      name = row.name
      bytes = row.byteCount
      basis = row.basis
      note = row.note
    }
  }

  let model: String
  /// `general.name`; absent where the file has none.
  let name: String?
  let architecture: String
  let modelBytes: Int
  let layers: Int
  /// By layer, 0 where it has none.
  let expertsPerLayer: [Int]
  let expertsPerToken: [Int]
  let expertBytes: Int
  let expertBytesPerToken: Int
  /// What each token adds to the state of its sequence, and what that has besides.
  let kvBytesPerToken: Int
  let stateBytesPerSequence: Int

  let fits: Bool
  let budgetBytes: Int
  let budgetBasis: MemoryPlan.Basis
  let budgetNote: String
  let smallestBudgetBytes: Int
  let totalBytes: Int
  let memory: [Row]

  let placement: ExpertPlacement
  let poolSlots: Int
  let lentSlots: Int
  let lentBytes: Int
  let experts: Int
  let contextLength: Int
  let chunkTokens: Int
  let threads: Int
  /// Where their number comes from.
  let threadsNote: String
  /// What experts are read from; absent where that is the model's own files.
  let bundle: String?
  let store: String
  let cachePolicy: String
  let instructionSet: String
  /// How the kernel ranks a run when memory is short, up to 1000: first; absent where unknown.
  let oomScoreAdj: Int?
  /// Absent where nothing is known to be missing of the files.
  let missing: String?
  /// Absent without a probe, and where the budget is too small to run.
  let prediction: PredictionReport?
  /// Absent unless it was asked for.
  let parallel: ParallelReport?

  init(_ plan: RunPlan, _ prediction: Prediction?, _ parallel: ParallelPrediction? = nil) {
    model = plan.path
    name = plan.modelName
    architecture = plan.architecture
    modelBytes = plan.modelByteCount
    layers = plan.layerCount
    expertsPerLayer = plan.expertCounts
    expertsPerToken = plan.expertsPerToken
    expertBytes = plan.expertByteCount
    expertBytesPerToken = plan.expertByteCountPerToken
    kvBytesPerToken = plan.keyValueByteCountPerToken
    stateBytesPerSequence = plan.stateByteCountPerSequence
    fits = plan.memory.fits
    budgetBytes = plan.memory.budgetByteCount
    budgetBasis = plan.memory.budgetBasis
    budgetNote = plan.memory.budgetNote
    smallestBudgetBytes = plan.memory.smallestBudgetByteCount
    totalBytes = plan.memory.totalByteCount
    memory = (plan.memory.rows + [plan.memory.experts]).map(Row.init)
    placement = plan.memory.placement
    poolSlots = plan.memory.slotCount
    lentSlots = plan.memory.lentSlotCount
    lentBytes = plan.memory.loanByteCount
    experts = plan.memory.expertCount
    contextLength = plan.memory.contextLength
    chunkTokens = plan.memory.chunkTokenCount
    threads = plan.memory.threadCount
    threadsNote = plan.threadNote
    bundle = plan.bundle?.description
    store = plan.store
    cachePolicy = plan.cachePolicy.rawValue
    instructionSet = plan.instructionSet
    oomScoreAdj = OutOfMemoryOffer.score
    missing = plan.missing
    self.prediction = prediction.map(PredictionReport.init)
    self.parallel = parallel.map(ParallelReport.init)
  }

  private static func experts(_ plan: RunPlan) -> String {
    let routed = plan.expertCounts.indices.filter { plan.expertCounts[$0] > 0 }
    guard !routed.isEmpty else { return "none; \(plan.layerCount) dense layers" }
    func range(_ counts: [Int]) -> String {
      let values = Set(routed.map { counts[$0] }).sorted()
      return values.count > 1 ? "\(values[0]) to \(values[values.count - 1])" : "\(values[0])"
    }
    let layers =
      routed.count == plan.layerCount
      ? "each of \(plan.layerCount) layers" : "\(routed.count) of \(plan.layerCount) layers"
    return "\(range(plan.expertsPerToken)) of \(range(plan.expertCounts)) in \(layers); "
      + "\(ByteSize(plan.expertByteCount)) in all, "
      + "\(ByteSize(plan.expertByteCountPerToken)) per token"
  }

  private static func state(_ plan: RunPlan) -> String {
    let perToken = "\(ByteSize(plan.keyValueByteCountPerToken)) per token"
    let fixed = plan.stateByteCountPerSequence
    return fixed == 0 ? perToken : perToken + ", \(ByteSize(fixed)) per sequence besides"
  }

  /// The plan for people.
  static func text(_ plan: RunPlan) -> String {
    let name = plan.modelName.map { " " + $0.quotedForMessage } ?? ""
    let memory = plan.memory
    return """
      model     \(plan.path)\(name), \(plan.architecture), \(ByteSize(plan.modelByteCount))
      experts   \(experts(plan))
      state     \(state(plan))
      placement \(memory.placement.rawValue), \(memory.slotCount + memory.lentSlotCount) slots for \
      \(memory.expertCount) experts, policy \(plan.cachePolicy)
      \(plan.bundle.map { "bundle    \($0)\n" } ?? "")\
      store     \(plan.store)
      kernels   \(plan.instructionSet), \(memory.threadCount) threads: \(plan.threadNote)
      \(plan.missing.map { "missing   \($0)\n" } ?? "")\
      memory
      \(memory.flagTable)
      if short  \(OutOfMemoryOffer.text)

      """
  }
}
