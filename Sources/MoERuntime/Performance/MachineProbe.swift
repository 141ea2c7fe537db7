import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEStore

/// Measures what the parts of a run cost on this machine, in a few seconds: products in the
/// model's formats and shapes, whole layers, attention, sampling, and reads of the model's own
/// experts. The weights that are multiplied are one byte, repeated; no result depends on them.
final class MachineProbe {
  let run: PreparedRun
  let request: ProbeRequest
  let team: WorkerTeam
  let memory: ProbeMemory
  var result = ProbeResult()
  private let start = MonotonicClock.nanoseconds()
  /// Of each figure, the median of its samples over the least.
  private var spreads: [Double] = []

  /// All of a probe, in nanoseconds. After three quarters of it each measurement is taken once.
  static let nanosecondsMax: UInt64 = 10_000_000_000
  /// What is spent on one figure.
  private static let sampleNanoseconds: UInt64 = 25_000_000
  private static let sampleCountMax = 200
  /// Products of smaller matrices say nothing of memory.
  private static let memoryBoundByteCount = 1 << 20

  init(_ run: PreparedRun, request: ProbeRequest) throws(EngineError) {
    self.run = run
    self.request = request
    do {
      team = try WorkerTeam(workerCount: run.threadCount)
    } catch {
      throw .outOfMemory("\(error)")
    }
    do {
      memory = try ProbeMemory(
        byteCount: request.bufferByteCount,
        codedRowCounts: run.header.tensors.experts.codedRowCounts, team: team)
    } catch {
      throw .outOfMemory("the memory to measure with cannot be had: \(error)")
    }
  }

  /// Measures everything.
  func measure() throws(EngineError) -> ProbeResult {
    do {
      try measureMemory()
      try measureProducts()
      try measureFork()
      try measureAttention()
      try measureLayers()
      try measureSampling()
    } catch {
      throw .outOfMemory("the memory to measure with cannot be had: \(error)")
    }
    let holdsFiles = BackendRegistry.all.contains { $0.name == request.store && $0.holdsFiles }
    if !holdsFiles { result.disk = try measureDisk() }
    if run.header.bundle != nil { result.finishSecondsPerByte = try measureFinish() }
    spreads.sort()
    result.spread = spreads.isEmpty ? 1 : spreads[spreads.count / 2]
    result.seconds = Double(MonotonicClock.nanoseconds() - start) * 1e-9
    return result
  }

  private var isLate: Bool {
    MonotonicClock.nanoseconds() - start > Self.nanosecondsMax / 4 * 3
  }

  /// The median of several runs in seconds, after one that warms up. A run's speed is a mean,
  /// to which the median is closer than the least of the samples.
  func seconds(_ body: () throws -> Void) rethrows -> Double {
    try body()
    var times: [UInt64] = []
    let end = MonotonicClock.nanoseconds() + Self.sampleNanoseconds
    repeat {
      let before = MonotonicClock.nanoseconds()
      try body()
      times.append(MonotonicClock.nanoseconds() - before)
      if isLate { break }
    } while (MonotonicClock.nanoseconds() < end || times.count < 5)
      && times.count < Self.sampleCountMax
    times.sort()
    spreads.append(Double(times[times.count / 2]) / Double(max(1, times[0])))
    return Double(times[times.count / 2]) * 1e-9
  }
}

extension MachineProbe {
  /// Reading memory with all threads: a product of floats with one token does little else. Products
  /// of other formats that read more count instead.
  private func measureMemory() throws(OutOfMemory) {
    guard let floats = QuantFormat(ggmlType: 0) else { return }
    let columnCount = 4096
    let rowCount = max(1, min(memory.byteCount / 2, 32 << 20) / (4 * columnCount))
    let shape = ProbeShape(
      format: floats.ggmlType, rowCount: rowCount, columnCount: columnCount, isExpert: false)
    let time = try productSeconds(shape, floats, rowCount: rowCount, tokenCount: 1, listCount: 1)
    result.memoryBytesPerSecond = Double(4 * columnCount * rowCount) / time
  }

  /// Each of the model's products at few and at many tokens.
  private func measureProducts() throws(OutOfMemory) {
    for shape in request.shapes {
      guard let format = QuantFormat(bundleType: shape.format) else { continue }
      let rowByteCount = format.rowByteCount(columnCount: shape.columnCount)
      var points: [CostCurve.Point] = []
      for tokenCount in [1, 4, 16, 64, 256] where tokenCount <= 64 || !shape.isExpert {
        // Enough rows for every thread, few enough to take milliseconds.
        let multiplicationMax = 1 << 27
        let rowCountMax = min(
          max(64, multiplicationMax / (tokenCount * shape.columnCount)),
          memory.byteCount / 2 / rowByteCount)
        let rowCount = max(1, min(shape.rowCount, rowCountMax))
        let isWide = shape.isExpert && tokenCount == 1
        let time = try productSeconds(
          shape, format, rowCount: rowCount, tokenCount: tokenCount,
          listCount: isWide ? request.expertsPerToken : 1)
        if tokenCount == 1 && rowCount * rowByteCount >= Self.memoryBoundByteCount {
          result.memoryBytesPerSecond = max(
            result.memoryBytesPerSecond, Double(rowCount * rowByteCount) / time)
        }
        points.append(
          CostCurve.Point(
            tokenCount: Double(tokenCount),
            seconds: time * Double(shape.rowCount) / Double(rowCount)))
      }
      result.products.append(ProbeResult.Product(shape: shape, cost: CostCurve(points)))
    }
  }

  /// One matrix of a list of `listCount` that are multiplied together, with `rowCount` rows each.
  private func productSeconds(
    _ shape: ProbeShape, _ format: QuantFormat, rowCount: Int, tokenCount: Int, listCount: Int
  ) throws(OutOfMemory) -> Double {
    let form = format.activation
    let inputByteCount = form.rowByteCount(columnCount: shape.columnCount) * tokenCount
    let input = try AlignedBuffer(byteCount: inputByteCount)
    let output = try AlignedBuffer(byteCount: 4 * rowCount * tokenCount * listCount)
    input.populate()
    output.populate()
    let x = ActivationRows(
      input.bytes(count: inputByteCount), rowCount: tokenCount, columnCount: shape.columnCount,
      form: form)
    let y = FloatRows(
      output.floats(count: rowCount * tokenCount * listCount), rowCount: tokenCount * listCount,
      columnCount: rowCount)
    var products = ProductList(capacity: listCount)
    let time = seconds {
      products.removeAll()
      for index in 0..<listCount {
        products.append(
          memory.matrix(format, rowCount: rowCount, columnCount: shape.columnCount), x,
          into: y.rows(index * tokenCount, count: tokenCount))
      }
      team.multiply(products)
    }
    withExtendedLifetime(input) {}
    withExtendedLifetime(output) {}
    return time / Double(listCount)
  }

  /// A product that is just large enough to be shared, on the team and on this thread alone.
  private func measureFork() throws(OutOfMemory) {
    guard team.workerCount > 1, let floats = QuantFormat(ggmlType: 0) else { return }
    let (rowCount, columnCount) = (128, 512)
    let buffer = try AlignedBuffer(byteCount: 4 * (rowCount * columnCount + columnCount + rowCount))
    buffer.populate()
    let matrix = QuantizedMatrix(
      format: floats, bytes: buffer.bytes(count: 4 * rowCount * columnCount), rowCount: rowCount,
      columnCount: columnCount)
    let x = ActivationRows(
      buffer.bytes(atOffset: 4 * rowCount * columnCount, count: 4 * columnCount), rowCount: 1,
      columnCount: columnCount, form: floats.activation)
    let y = FloatRows(
      buffer.floats(atByteOffset: 4 * (rowCount + 1) * columnCount, count: rowCount), rowCount: 1,
      columnCount: rowCount)
    var products = ProductList(capacity: 1)
    products.append(matrix, x, into: y)
    let repeats = 50
    let together = seconds { for _ in 0..<repeats { team.multiply(products) } }
    let alone = seconds { for _ in 0..<repeats { floats.matmul(matrix, x, into: y) } }
    withExtendedLifetime(buffer) {}
    let difference = together - alone / Double(team.workerCount)
    result.forkSeconds = max(0, difference / Double(repeats))
  }

  private func measureSampling() throws(OutOfMemory) {
    let count = request.vocabularySize
    let buffer = try AlignedBuffer(byteCount: 4 * count)
    let logits = buffer.floats(count: count)
    var generator = SeededGenerator(seed: 1)
    for index in 0..<count { logits[index] = Float(generator.nextGaussian()) }
    var options = SamplingOptions()
    options.seed = 1
    var sampler = Sampler(options, vocabularySize: count)
    var token: Int32 = 0
    result.samplingSeconds = seconds {
      token = sampler.sample(logits, history: [token])
    }
    withExtendedLifetime(buffer) {}
  }
}
