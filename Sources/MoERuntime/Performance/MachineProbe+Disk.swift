import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEStore

/// Reads of the model's own experts, chosen at random, as a run makes them: by its backend, at its
/// depth, into memory that is registered as the pool is.
extension MachineProbe {
  /// Time for each of the three kinds of batches.
  private static let nanosecondsPerKind: UInt64 = 500_000_000
  private static let batchCountMax = 40

  /// What one batch of reads took.
  private struct Batch {
    var seconds: Double
    var byteCount: Double
    /// Of each product that was computed meanwhile; nil where none was.
    var productSeconds: Double?
  }

  func measureDisk() throws(EngineError) -> ProbeResult.Disk {
    let reader = try run.makeReader()
    let pool = PoolLayout(run.header.tensors.experts)
    let slotByteCount = pool.classes.map(\.slotByteCount).max() ?? 0
    let count = request.expertsPerToken
    let slots: ProbeMemory
    do {
      slots = try ProbeMemory(byteCount: count * slotByteCount, team: team)
    } catch {
      throw .outOfMemory("the memory to measure with cannot be had: \(error)")
    }
    reader.registerBuffers([slots.bytes])
    // Reads end before their memory does, also after an error.
    defer {
      reader.drain()
      withExtendedLifetime(slots) {}
    }
    var generator = SeededGenerator(seed: MonotonicClock.nanoseconds())
    func batches(_ count: Int, _ product: (() -> Void)? = nil) throws(EngineError) -> [Batch] {
      var batches: [Batch] = []
      let end = MonotonicClock.nanoseconds() + Self.nanosecondsPerKind
      repeat {
        do {
          batches.append(
            try batch(
              count, computing: product, reader: reader, pool: pool, slots: slots, &generator))
        } catch {
          throw .store(error.description)
        }
      } while (MonotonicClock.nanoseconds() < end || batches.count < 3)
        && batches.count < Self.batchCountMax
      return batches
    }
    let one = Self.median(try batches(1))
    let allBatches = try batches(count)
    let all = Self.median(allBatches)
    let (token, chunk) = (computeUnit(tokenCount: 1), computeUnit(tokenCount: 64))
    let busyToken = try batches(count, token)
    let busyChunk = try batches(count, chunk)
    // All bytes over all time: where a disk is held to a rate, batches are bursts or waits, and no
    // single one has it. But the median where it is higher: it leaves out what other work held up.
    func rate(_ batches: [Batch]) -> Double {
      let middle = Self.median(batches)
      let mean = batches.reduce(0) { $0 + $1.byteCount } / batches.reduce(0) { $0 + $1.seconds }
      return max(mean, middle.byteCount / middle.seconds)
    }
    func slowdown(_ batches: [Batch], _ product: () -> Void) -> Double {
      let idleSeconds = seconds(product)
      return max(1, (Self.median(batches).productSeconds ?? idleSeconds) / idleSeconds)
    }
    let difference = all.seconds - one.seconds
    // Without its latency a disk is no slower than with it. Where it is held to a rate, single
    // experts pass in bursts, and their difference to many says too little of it.
    let quietRate =
      difference > 0.2 * all.seconds && count > 1
      ? max((all.byteCount - one.byteCount) / difference, rate(allBatches)) : rate(allBatches)
    return ProbeResult.Disk(
      latencySeconds: max(0, one.seconds - one.byteCount / quietRate),
      bytesPerSecond: quietRate,
      busyBytesPerSecond: rate(busyToken), chunkBytesPerSecond: rate(busyChunk),
      computeSlowdown: slowdown(busyToken, token),
      chunkComputeSlowdown: slowdown(busyChunk, chunk))
  }

  private static func median(_ batches: [Batch]) -> Batch {
    let sorted = batches.sorted { $0.seconds / $0.byteCount < $1.seconds / $1.byteCount }
    var batch = sorted[sorted.count / 2]
    // Batches of mixed quantisations differ in size: the mean rate is what counts.
    let byteCount = batches.reduce(0) { $0 + $1.byteCount } / Double(batches.count)
    batch.seconds *= byteCount / batch.byteCount
    batch.byteCount = byteCount
    let products = batches.compactMap(\.productSeconds).sorted()
    batch.productSeconds = products.isEmpty ? nil : products[products.count / 2]
    return batch
  }

  /// Reads so many random experts and waits for them, computing or not.
  private func batch(
    _ count: Int, computing product: (() -> Void)?, reader: ExtentReader, pool: PoolLayout,
    slots: ProbeMemory, _ generator: inout SeededGenerator
  ) throws(StoreError) -> Batch {
    let experts = run.header.tensors.experts
    let layers = experts.routedLayers
    let slotByteCount = slots.byteCount / request.expertsPerToken
    let before = MonotonicClock.nanoseconds()
    let readBefore = reader.counters.readByteCount
    for slot in 0..<count {
      let layer = layers[Int.random(in: layers.indices, using: &generator)]
      let expert = Int.random(in: 0..<experts.layers[layer].expertCount, using: &generator)
      let regions = pool.classes[pool.sizeClass(ofLayer: layer)].regionByteCounts
      var parts: [ReadPart] = []
      experts.layers[layer].forEachRead(ofExpert: expert, alignment: pool.alignment) {
        extent, number, offset in
        let start = slot * slotByteCount + regions[..<number].reduce(0, +)
        let region = slots.bytes.slice(start, count: regions[number])
        parts.append(
          unsafe ReadPart(
            extent: extent, destination: region.pointer + offset, capacity: region.count - offset))
      }
      try reader.submit(tag: slot, parts: parts.span)
    }
    var (arrivedCount, productCount) = (0, 0)
    while arrivedCount < count {
      if let product {
        product()
        productCount += 1
      }
      while try reader.next(blocking: product == nil && arrivedCount < count) != nil {
        arrivedCount += 1
      }
    }
    let nanoseconds = Double(MonotonicClock.nanoseconds() - before)
    return Batch(
      seconds: nanoseconds * 1e-9,
      byteCount: Double(reader.counters.readByteCount - readBefore),
      productSeconds: productCount > 0 ? nanoseconds * 1e-9 / Double(productCount) : nil)
  }

  /// Something to compute while reads are under way: a product of some tokens with weights from
  /// memory.
  private func computeUnit(tokenCount: Int) -> () -> Void {
    guard let shape = request.shapes.first(where: \.isExpert),
      let format = QuantFormat(bundleType: shape.format)
    else { return {} }
    let inputByteCount =
      format.activation.rowByteCount(columnCount: shape.columnCount) * tokenCount
    guard
      let buffer = try? AlignedBuffer(
        byteCount: 8192 + inputByteCount + 4 * shape.rowCount * tokenCount)
    else { return {} }
    let operands = ComputeOperands(buffer)
    let x = ActivationRows(
      operands.buffer.bytes(count: inputByteCount), rowCount: tokenCount,
      columnCount: shape.columnCount, form: format.activation)
    let y = FloatRows(
      operands.buffer.floats(
        atByteOffset: (inputByteCount + 63) / 64 * 64, count: shape.rowCount * tokenCount),
      rowCount: tokenCount, columnCount: shape.rowCount)
    return { [self] in
      var products = ProductList(capacity: 1)
      products.append(
        memory.matrix(format, rowCount: shape.rowCount, columnCount: shape.columnCount), x, into: y)
      team.multiply(products)
      withExtendedLifetime(operands) {}
    }
  }

  /// Keeps the memory of a product's input and output.
  private final class ComputeOperands {
    let buffer: AlignedBuffer

    init(_ buffer: consuming AlignedBuffer) { self.buffer = buffer }
  }
}
