internal import MoECore
internal import MoEKernels

/// What benchmarks are made from.
struct BenchmarkContext {
  let team: WorkerTeam
  /// One thread at the scalar level, whose results the others are held against.
  let reference: WorkerTeam
  let isToy: Bool
  /// Nil: nothing is read from disk.
  var reads: ReadBenchmark.Settings?
  /// Nil: nothing is encoded.
  var texts: TokenizeBenchmark.Settings?

  static func referenceTeam() throws -> WorkerTeam {
    guard let team = try WorkerTeam(workerCount: 1, instructionSet: .scalar) else {
      throw BenchmarkError(name: "reference", problem: "this build has no scalar operations")
    }
    return team
  }

  /// A size for measuring, or the one for trying out.
  func size(_ full: Int, toy: Int) -> Int { isToy ? toy : full }
}

/// A subject lists its benchmarks here, and its file holds them.
let benchmarkSubjects: [@Sendable (BenchmarkContext) -> [Benchmark]] = [
  MemoryBenchmark.benchmarks, MatMulBenchmark.benchmarks, AttentionBenchmark.benchmarks,
  RecurrenceBenchmark.benchmarks, CodecBenchmark.benchmarks,
  OperationBenchmark.benchmarks, CachePolicyBenchmark.benchmarks, PredictorBenchmark.benchmarks,
  DispatchBenchmark.benchmarks, ReadBenchmark.benchmarks, ReplayBenchmark.benchmarks,
  TokenizeBenchmark.benchmarks, SamplingBenchmark.benchmarks,
]

/// One thing to be timed. Its memory is allocated when it is prepared and freed after it ran.
struct Benchmark {
  var name: String
  var prepare: () throws -> Prepared

  struct Prepared {
    /// Bytes that a run has to read from memory, 0 where that is not what takes its time.
    var byteCount = 0
    /// Bytes that a run has to read from disk.
    var diskByteCount = 0
    /// Floating-point or integer additions and multiplications of a run.
    var operationCount = 0
    /// Multiply-adds of a matrix product, each of them two operations; 0 for anything else.
    var multiplyAddCount = 0
    /// What the views in the closures below point to.
    var memory: [BenchmarkMemory]
    /// The share of the machine's read rate that the benchmark should reach.
    var goal: Double?
    var run: () throws -> Void
    /// Whether what the last run computed is right.
    var isRight: () throws -> Bool
  }
}

struct BenchmarkError: Error, CustomStringConvertible {
  var name: String
  var problem: String
  var description: String { "\(name): \(problem)" }
}

struct BenchmarkResult {
  var name: String
  var runCount: Int
  /// Nanoseconds of a run: the median, and the 10th and 90th percentiles.
  var (median, low, high): (Double, Double, Double)
  /// Nanoseconds of a run, over the time of all of them.
  var mean: Double
  var byteCount: Int
  var diskByteCount: Int
  var operationCount: Int
  var multiplyAddCount: Int
  var goal: Double?

  /// From memory or from disk, whichever the benchmark is about. A disk delivers in bursts, of
  /// which the median says nothing: there all bytes count, over all the time.
  var gigabytesPerSecond: Double {
    diskByteCount > 0 ? Double(diskByteCount) / mean : Double(byteCount) / median
  }
  var gigaoperationsPerSecond: Double { Double(operationCount) / median }
  var gigaMultiplyAddsPerSecond: Double { Double(multiplyAddCount) / median }
}

/// Warms up, checks the result, then repeats until the time is spent.
struct Harness {
  var seconds: Double

  /// Short runs are timed several at a time, so that reading the clock does not count.
  private static let sampleNanoseconds = 20_000.0
  private static let sampleCountMax = 10_000

  func measure(_ benchmark: Benchmark) throws -> BenchmarkResult {
    let prepared = try benchmark.prepare()
    defer { withExtendedLifetime(prepared.memory) {} }
    try prepared.run()
    guard try prepared.isRight() else {
      throw BenchmarkError(name: benchmark.name, problem: "the result is wrong; nothing was timed")
    }
    let once = try sample(prepared, repeats: 1)
    let repeats = max(1, Int(Self.sampleNanoseconds / max(once, 1)))
    // A tenth of the time lets caches, clocks and workers settle.
    let start = MonotonicClock.nanoseconds()
    let warm = start + UInt64(seconds * 0.1e9)
    while MonotonicClock.nanoseconds() < warm { try prepared.run() }
    let end = start + UInt64(seconds * 1e9)
    var times: [Double] = []
    repeat {
      times.append(try sample(prepared, repeats: repeats))
    } while MonotonicClock.nanoseconds() < end && times.count < Self.sampleCountMax
    let mean = times.reduce(0, +) / Double(times.count)
    times.sort()
    return BenchmarkResult(
      name: benchmark.name, runCount: times.count * repeats, median: times[times.count / 2],
      low: times[times.count / 10], high: times[times.count * 9 / 10], mean: mean,
      byteCount: prepared.byteCount, diskByteCount: prepared.diskByteCount,
      operationCount: prepared.operationCount, multiplyAddCount: prepared.multiplyAddCount,
      goal: prepared.goal)
  }

  /// Nanoseconds of one run, as the mean of several.
  private func sample(_ prepared: Benchmark.Prepared, repeats: Int) throws -> Double {
    let start = MonotonicClock.nanoseconds()
    for _ in 0..<repeats { try prepared.run() }
    return Double(MonotonicClock.nanoseconds() - start) / Double(repeats)
  }
}
