import MoECore
import MoEFormats

/// Random weights in one format with one standard deviation, produced fast: Gaussian ones where the
/// format has a quantiser here, else random blocks.
///
/// A tensor of up to `poolElementCount` elements gets numbers of its own. Quantising more would
/// take minutes, so larger ones are dealt in random order from a pool of that many.
struct RandomWeights: Sendable {
  static let poolElementCount = 1 << 20
  /// A multiple of every format's block.
  private static let unitElementCount = 256

  private let type: GGMLType
  private let mean: Float
  private let deviation: Float
  private let pool: [UInt8]

  init(_ type: GGMLType, mean: Float = 0, deviation: Float, pooled: Bool, seed: UInt64) {
    self.type = type
    self.mean = mean
    self.deviation = deviation
    var generator = SeededGenerator(seed: seed)
    var pool: [UInt8] = []
    if pooled {
      Self.append(
        Self.poolElementCount, type, mean: mean, deviation: deviation, &generator, to: &pool)
    }
    self.pool = pool
  }

  /// Emits the blocks of `elementCount` elements; what is drawn depends on the seed alone.
  func produce(elementCount: Int, seed: UInt64, emit: ([UInt8]) throws -> Void) throws {
    var generator = SeededGenerator(seed: seed)
    var chunk: [UInt8] = []
    guard elementCount > Self.poolElementCount else {
      Self.append(elementCount, type, mean: mean, deviation: deviation, &generator, to: &chunk)
      return try emit(chunk)
    }
    let unitByteCount = Self.unitElementCount / type.blockElementCount * type.blockByteCount
    let chunkByteCount = 1 << 20
    var remaining = elementCount / type.blockElementCount * type.blockByteCount
    chunk.reserveCapacity(chunkByteCount + unitByteCount)
    let unitCount = UInt64(Self.poolElementCount / Self.unitElementCount)
    while remaining > 0 {
      let start = Int(generator.next() % unitCount) * unitByteCount
      let count = min(unitByteCount, remaining)
      chunk += pool[start..<start + count]
      remaining -= count
      if chunk.count >= chunkByteCount || remaining == 0 {
        try emit(chunk)
        chunk.removeAll(keepingCapacity: true)
      }
    }
  }

  private static func append(
    _ elementCount: Int, _ type: GGMLType, mean: Float, deviation: Float,
    _ generator: inout SeededGenerator, to output: inout [UInt8]
  ) {
    output.reserveCapacity(elementCount / type.blockElementCount * type.blockByteCount)
    guard PlainQuantizer.types.contains(type) else {
      guard let blocks = RandomBlocks(type) else { preconditionFailure("\(type) is not made here") }
      output += blocks.blocks(
        count: elementCount / type.blockElementCount, deviation: deviation, &generator)
      return
    }
    let unit = type.blockElementCount == 1 ? unitElementCount : type.blockElementCount
    var values: [Float] = []
    values.reserveCapacity(unit)
    for start in stride(from: 0, to: elementCount, by: unit) {
      values.removeAll(keepingCapacity: true)
      for _ in start..<min(start + unit, elementCount) {
        values.append(mean + deviation * Float(generator.nextGaussian()))
      }
      PlainQuantizer.append(values, as: type, to: &output)
    }
  }
}
