import MoECore
import MoEKernels
import MoESynthetic
import MoETestSupport
import Testing

// What the suites of quantised products share. A format is known here by its table entry alone, so
// that a new one is tested the moment it is listed.

/// What one test of a product is run with.
struct FormatAtLevel: CustomTestStringConvertible, Sendable {
  let format: QuantFormat
  let level: InstructionSet
  var testDescription: String { "\(format.name) \(level.name)" }

  /// Every format at every level that has a product for it here.
  static let all = QuantFormat.all.flatMap { format in
    InstructionSet.allCases.filter { format.hasProduct(at: $0) }
      .map { FormatAtLevel(format: format, level: $0) }
  }
}

extension QuantFormat {
  /// The largest magnitude in a block; infinite where any element is not finite.
  func amplitude(_ block: [UInt8]) -> Float {
    floats(block).reduce(0) { $1.isFinite ? max($0, abs($1)) : .infinity }
  }

  /// Blocks of random bytes, drawn again until their elements are of ordinary size.
  func randomBlocks(_ count: Int, seed: UInt64) -> [[UInt8]] {
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { _ in
      while true {
        let block = (0..<blockByteCount).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        if (0.0625...4).contains(amplitude(block)) { return block }
      }
    }
  }

  /// A block with as many bytes as possible set to `pattern`: all but those that would make its
  /// elements infinite, huge or tiny, which are the ones that scale it.
  func saturatedBlock(_ pattern: UInt8, seed: UInt64) -> [UInt8] {
    var block = randomBlocks(1, seed: seed)[0]
    for index in block.indices {
      let original = block[index]
      block[index] = pattern
      if !(0.001...1000).contains(amplitude(block)) { block[index] = original }
    }
    return block
  }

  /// Column counts that leave every remainder, in elements.
  var columnCounts: [Int] {
    let counts = Array(1...9) + [12, 15, 16, 17, 31, 33, 64]
    return counts.map { $0 * blockElementCount }.filter { $0 <= 4096 }
  }
}

/// Weights and activations of a product, with what it must come to.
final class ProductCase {
  let format: QuantFormat
  let rowCount: Int
  let tokenCount: Int
  let columnCount: Int
  /// (row, block)
  let weights: [UInt8]
  /// (token, column), before they are brought into the product's form.
  let x: [[Float]]
  private let weightBuffer: AlignedBuffer
  private let activations: AlignedBuffer
  private let output: AlignedBuffer
  private var activationRowByteCount: Int {
    format.activation.rowByteCount(columnCount: columnCount)
  }

  init(
    _ format: QuantFormat, rowCount: Int, x: [[Float]], blocks: [[UInt8]], seed: UInt64
  ) throws {
    var generator = SeededGenerator(seed: seed)
    self.format = format
    self.rowCount = rowCount
    self.x = x
    tokenCount = x.count
    columnCount = x[0].count
    let blockCount = rowCount * columnCount / format.blockElementCount
    weights = (0..<blockCount).flatMap { _ in
      blocks[Int(generator.next() % UInt64(blocks.count))]
    }
    weightBuffer = try AlignedBuffer(byteCount: weights.count)
    weightBuffer.bytes(count: weights.count).copy(from: weights)
    output = try AlignedBuffer(byteCount: tokenCount * (rowCount + Self.outputGap) * 4)
    let rowByteCount = format.activation.rowByteCount(columnCount: columnCount)
    activations = try AlignedBuffer(byteCount: tokenCount * rowByteCount)
    let floats = try AlignedBuffer(byteCount: columnCount * 4)
    for (token, values) in x.enumerated() {
      let view = floats.floats(count: columnCount)
      for (column, value) in values.enumerated() { view[column] = value }
      format.activation.quantize(
        view, into: activations.bytes(atOffset: token * rowByteCount, count: rowByteCount))
    }
  }

  /// Random blocks and normally distributed activations.
  convenience init(
    _ format: QuantFormat, rowCount: Int, tokenCount: Int, columnCount: Int, seed: UInt64
  ) throws {
    var generator = SeededGenerator(seed: seed)
    let x = (0..<tokenCount).map { _ in
      (0..<columnCount).map { _ in Float(generator.nextGaussian()) }
    }
    try self.init(
      format, rowCount: rowCount, x: x, blocks: format.randomBlocks(64, seed: seed &+ 1),
      seed: seed &+ 2)
  }

  /// The product of some rows with some tokens, as (token, row).
  func product(
    at level: InstructionSet?, rows: Range<Int>? = nil, tokens: Range<Int>? = nil
  ) throws -> [[Float]] {
    let rows = rows ?? 0..<rowCount
    let rowByteCount = format.rowByteCount(columnCount: columnCount)
    let bytes = weightBuffer.bytes(
      atOffset: rows.lowerBound * rowByteCount, count: rows.count * rowByteCount)
    return try product(of: bytes, rowCount: rows.count, tokens: tokens, at: level)
  }

  /// The product of the first `rowCount` rows of `bytes`. Outputs stand wider apart than needed,
  /// and what lies between them must stay as it is.
  func product(
    of bytes: ByteView, rowCount: Int, tokens: Range<Int>? = nil, at level: InstructionSet?
  ) throws -> [[Float]] {
    let tokens = tokens ?? 0..<tokenCount
    let stride = rowCount + Self.outputGap
    let storage = output.floats(count: tokens.count * stride)
    storage.fill(with: Self.untouched)
    let byteCount = activationRowByteCount
    format.matmul(
      QuantizedMatrix(format: format, bytes: bytes, rowCount: rowCount, columnCount: columnCount),
      ActivationRows(
        activations.bytes(
          atOffset: tokens.lowerBound * byteCount, count: tokens.count * byteCount),
        rowCount: tokens.count, columnCount: columnCount, form: format.activation),
      into: FloatRows(storage, rowCount: tokens.count, columnCount: rowCount, stride: stride),
      at: level)
    return try (0..<tokens.count).map { token in
      let values = storage.slice(token * stride, count: stride).array()
      guard values[rowCount...].allSatisfy({ $0 == Self.untouched }) else {
        throw WroteBehindRow(token: token)
      }
      return Array(values[..<rowCount])
    }
  }

  private static let untouched: Float = -12345.678
  private static let outputGap = 3

  /// Each value in double precision, and the size of error that rounding its parts may cause.
  func exact() -> [[(value: Double, unit: Double)]] {
    let floats = format.floats(weights)
    return x.map { values in
      let rounded = RoundedActivations(values, form: format.activation).values
      return (0..<rowCount).map { row in
        var sum = 0.0
        var magnitude = 0.0
        for column in 0..<columnCount {
          let weight = Double(floats[row * columnCount + column])
          sum += weight * rounded[column]
          magnitude += abs(weight * rounded[column])
        }
        return (sum, magnitude * 0x1p-24)
      }
    }
  }

  /// Roundings that a value passes through at most: one per step of a lane, some at each end.
  var roundingCount: Double {
    Double(columnCount / max(8, format.blockElementCount)) * 2 + 16
  }
}

struct WroteBehindRow: Error { let token: Int }

extension QuantFormat: CustomTestStringConvertible {
  package var testDescription: String { name }
}
