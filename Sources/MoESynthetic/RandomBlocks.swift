package import MoECore
package import MoEFormats
import MoEKernels

/// Blocks of a quantised format whose quants are drawn at random, all codes alike, and whose
/// factors are set so that the elements have a standard deviation.
///
/// Made in no time for any format, unlike quantised numbers. The values are spread evenly rather
/// than normally; what a block's inner scales are is random too.
package struct RandomBlocks {
  /// Where a block has the factor that all its elements are multiplied with.
  private enum Factor {
    /// A 16-bit float, and beside it perhaps what minima are multiplied with, or the minimum.
    case half(at: Int, minimum: Int? = nil)
    /// The upper four bits of four 16-bit numbers, lowest first.
    case nibbles(at: Int)
    /// 8-bit floats of so many groups.
    case bytes(Range<Int>, largest: UInt8)
  }

  private static let factors: [String: Factor] = [
    "Q4_0": .half(at: 0), "Q5_0": .half(at: 0), "Q8_0": .half(at: 0), "IQ4_NL": .half(at: 0),
    "Q4_1": .half(at: 0, minimum: 2), "Q5_1": .half(at: 0, minimum: 2),
    "Q2_K": .half(at: 80, minimum: 82), "Q3_K": .half(at: 108),
    "Q4_K": .half(at: 0, minimum: 2), "Q5_K": .half(at: 0, minimum: 2), "Q6_K": .half(at: 208),
    "IQ1_S": .half(at: 0), "IQ1_M": .nibbles(at: 48), "IQ2_XXS": .half(at: 0),
    "IQ2_XS": .half(at: 0), "IQ2_S": .half(at: 0), "IQ3_XXS": .half(at: 0), "IQ3_S": .half(at: 0),
    "IQ4_XS": .half(at: 0), "TQ1_0": .half(at: 52), "TQ2_0": .half(at: 64),
    "MXFP4": .bytes(0..<1, largest: 0xFE), "NVFP4": .bytes(0..<4, largest: 0x7E),
  ]

  package static func canMake(_ type: GGMLType) -> Bool {
    factors[type.name] != nil && QuantFormat(ggmlType: type.id) != nil
  }

  private let format: QuantFormat
  private let factor: Factor

  /// Nil where the format has no factors: floats and integers.
  package init?(_ type: GGMLType) {
    guard let factor = Self.factors[type.name], let format = QuantFormat(ggmlType: type.id) else {
      return nil
    }
    (self.format, self.factor) = (format, factor)
  }

  /// Blocks with elements around 0.
  package func blocks(count: Int, deviation: Float, _ generator: inout SeededGenerator) -> [UInt8] {
    var blocks = [UInt8]()
    blocks.reserveCapacity(count * format.blockByteCount + 8)
    while blocks.count < count * format.blockByteCount {
      blocks.appendLittleEndian(generator.next())
    }
    blocks.removeLast(blocks.count - count * format.blockByteCount)
    switch factor {
    case .bytes(let places, let largest):
      // A factor of few bits: the one that comes nearest, of all.
      var sample = Array(blocks.prefix(16 * format.blockByteCount))
      let best = (1...largest).min { first, second in
        distance(first, places, deviation, &sample) < distance(second, places, deviation, &sample)
      }
      setBytes(places, best ?? 1, &blocks)
    case .half, .nibbles:
      let sample = Array(blocks.prefix(64 * format.blockByteCount))
      let plain = moments(of: sample, scale: 1, minimum: 0)
      let floor = moments(of: sample, scale: 0, minimum: 1)
      let minimum = floor.mean == 0 ? 0 : -plain.mean / floor.mean
      let scale = deviation / moments(of: sample, scale: 1, minimum: minimum).deviation
      set(scale: scale, minimum: minimum * scale, &blocks)
    }
    return blocks
  }

  private func distance(
    _ byte: UInt8, _ places: Range<Int>, _ deviation: Float, _ sample: inout [UInt8]
  ) -> Float {
    setBytes(places, byte, &sample)
    let reached = moments(of: sample).deviation
    // NaN is the farthest.
    return reached.isFinite ? (reached / deviation - 1).magnitude : .infinity
  }

  private func setBytes(_ places: Range<Int>, _ byte: UInt8, _ blocks: inout [UInt8]) {
    for start in stride(from: 0, to: blocks.count, by: format.blockByteCount) {
      for place in places { blocks[start + place] = byte }
    }
  }

  private func set(scale: Float, minimum: Float, _ blocks: inout [UInt8]) {
    let (scale, minimum) = (Float16(scale).bitPattern, Float16(minimum).bitPattern)
    func put(_ bits: UInt16, at place: Int) {
      blocks[place] = UInt8(truncatingIfNeeded: bits)
      blocks[place + 1] = UInt8(bits >> 8)
    }
    for start in stride(from: 0, to: blocks.count, by: format.blockByteCount) {
      switch factor {
      case .half(let place, let minimumPlace):
        put(scale, at: start + place)
        if let minimumPlace { put(minimum, at: start + minimumPlace) }
      case .nibbles(let place):
        for index in 0..<4 {
          let high = UInt8(truncatingIfNeeded: scale >> UInt16(4 * index) & 15) << 4
          let byte = start + place + 2 * index + 1
          blocks[byte] = blocks[byte] & 15 | high
        }
      case .bytes: break
      }
    }
  }

  private func moments(
    of blocks: [UInt8], scale: Float, minimum: Float
  ) -> (mean: Float, deviation: Float) {
    var blocks = blocks
    set(scale: scale, minimum: minimum, &blocks)
    return moments(of: blocks)
  }

  private func moments(of blocks: [UInt8]) -> (mean: Float, deviation: Float) {
    let values = format.floats(blocks)
    let count = Float(values.count)
    let mean = values.reduce(0, +) / count
    let square = values.reduce(Float(0)) { $0 + ($1 - mean) * ($1 - mean) }
    return (mean, (square / count).squareRoot())
  }
}
