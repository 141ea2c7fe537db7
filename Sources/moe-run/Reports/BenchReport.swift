import MoERuntime

/// What `bench --json` writes: these properties in snake_case as its keys.
struct BenchReport: Encodable {
  let model: String
  let architecture: String
  let modelBytes: Int
  let store: String
  let cachePolicy: String
  let instructionSet: String
  /// Absent where none was on.
  let gating: String?
  let seed: UInt64
  /// `file` or `sampled`.
  let prompt: String
  /// Whether a signal ended it before all rows were there.
  let interrupted: Bool
  let rows: [BenchRow]

  init(_ rows: [BenchRow], plan: RunPlan, seed: UInt64, prompt: String, gating: GatingSpecification)
  {
    model = plan.path
    architecture = plan.architecture
    modelBytes = plan.modelByteCount
    store = plan.store
    cachePolicy = plan.cachePolicy.rawValue
    instructionSet = plan.instructionSet
    self.gating = gating.isOff ? nil : gating.description
    self.seed = seed
    self.prompt = prompt
    interrupted = Interruption.received != nil
    self.rows = rows
  }
}

/// One test in one setting, over its repetitions.
struct BenchRow: Encodable {
  let model: String
  let modelBytes: Int
  let architecture: String
  let threads: Int
  /// As it was given: `none`, `50%`, `8G`.
  let budget: String
  let budgetBytes: Int
  let placement: ExpertPlacement
  /// llama-bench's name of the test.
  let test: String
  let phase: BenchTest.Phase
  /// Tokens whose time was taken.
  let tokens: Int
  /// Tokens in the context before them.
  let depth: Int
  /// Whether each repetition had an engine of its own and a page cache that could be emptied.
  let cold: Bool
  let repetitions: Int

  /// Tokens per second.
  let median: Double
  let min: Double
  let max: Double
  let mean: Double
  let deviation: Double
  /// Of each repetition, in order.
  let samples: [Double]

  /// The following are means over the repetitions. Requests whose expert was in memory.
  let hitRate: Double
  let readBytesPerToken: Double
  /// Experts that a token took in a layer; absent where no gating was on.
  let expertsPerToken: Double?
  /// Share of the time with nothing to compute until the disk delivered.
  let stallShare: Double
  let loadSeconds: Double
  /// The highest of all repetitions; absent where the kernel does not let it begin anew.
  let peakBytes: Int?

  init(
    _ test: BenchTest, _ setting: BenchSetting, plan: RunPlan, isCold: Bool,
    samples: [BenchSample]
  ) {
    model = plan.path
    modelBytes = plan.modelByteCount
    architecture = plan.architecture
    threads = plan.memory.threadCount
    budget = setting.budget
    budgetBytes = plan.memory.budgetByteCount
    placement = plan.memory.placement
    self.test = test.name
    phase = test.phase
    tokens = test.tokenCount
    depth = test.depth
    cold = isCold
    repetitions = samples.count

    let rates = samples.map { $0.seconds > 0 ? Double(test.tokenCount) / $0.seconds : 0 }
    let statistics = SampleStatistics(rates)
    (median, mean, deviation) = (statistics.median, statistics.mean, statistics.deviation)
    (min, max) = (statistics.lowest, statistics.highest)
    self.samples = rates

    var total = ExpertTraffic()
    for sample in samples {
      total.requestCount += sample.traffic.requestCount
      total.hitCount += sample.traffic.hitCount
      total.readByteCount += sample.traffic.readByteCount
      total.stallSeconds += sample.traffic.stallSeconds
    }
    let seconds = samples.reduce(0) { $0 + $1.seconds }
    hitRate = total.hitRate
    let counts = samples.compactMap(\.expertsPerToken)
    expertsPerToken = counts.isEmpty ? nil : SampleStatistics(counts).mean
    readBytesPerToken =
      Double(total.readByteCount) / Double(Swift.max(1, test.tokenCount * samples.count))
    stallShare = seconds > 0 ? total.stallSeconds / seconds : 0
    loadSeconds = SampleStatistics(samples.map(\.loadSeconds)).mean
    peakBytes = samples.compactMap(\.peakByteCount).max()
  }
}
