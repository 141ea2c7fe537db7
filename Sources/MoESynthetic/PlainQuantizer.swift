import MoECore
import MoEFormats

/// Plain quantisers for random weights: nearest values under the obvious scales, no search.
enum PlainQuantizer {
  static let types: [GGMLType] = [.f32, .f16, .bf16, .q8_0, .q4_K, .q6_K]

  /// Appends the blocks of `values`, a whole number of them.
  static func append(_ values: [Float], as type: GGMLType, to output: inout [UInt8]) {
    precondition(values.count % type.blockElementCount == 0)
    switch type {
    case .f32: for value in values { output.appendLittleEndian(value.bitPattern) }
    case .f16: for value in values { appendHalf(value, &output) }
    case .bf16: for value in values { output.appendLittleEndian(brainFloat(value)) }
    default:
      for start in stride(from: 0, to: values.count, by: type.blockElementCount) {
        let block = values[start..<start + type.blockElementCount]
        switch type {
        case .q8_0: appendQ8_0(Array(block), &output)
        case .q4_K: appendQ4_K(Array(block), &output)
        case .q6_K: appendQ6_K(Array(block), &output)
        default: preconditionFailure("random weights cannot be written as \(type)")
        }
      }
    }
  }

  private static func appendHalf(_ value: Float, _ output: inout [UInt8]) {
    output.appendLittleEndian(Float16(value).bitPattern)
  }

  /// The upper half of the float's bits, rounded to nearest even.
  private static func brainFloat(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
  }

  private static func quotient(_ value: Float, _ step: Float, _ range: ClosedRange<Int>) -> Int {
    step > 0 ? min(max(Int((value / step).rounded()), range.lowerBound), range.upperBound) : 0
  }

  /// A scale as it will be read back from 16 bits.
  private static func half(_ value: Float) -> Float { Float(Float16(value)) }

  private static func appendQ8_0(_ block: [Float], _ output: inout [UInt8]) {
    let scale = half((block.map(abs).max() ?? 0) / 127)
    appendHalf(scale, &output)
    for value in block {
      output.append(UInt8(bitPattern: Int8(quotient(value, scale, -127...127))))
    }
  }

  /// Eight groups of 32; value = scale * group scale * quant - minimum * group minimum.
  private static func appendQ4_K(_ block: [Float], _ output: inout [UInt8]) {
    let groups = (0..<8).map { Array(block[$0 * 32..<$0 * 32 + 32]) }
    let floors = groups.map { max(0, -($0.min() ?? 0)) }
    let steps = zip(groups, floors).map { (($0.max() ?? 0) + $1) / 15 }
    let scale = half((steps.max() ?? 0) / 63)
    let minimum = half((floors.max() ?? 0) / 63)
    let scales = steps.map { UInt8(quotient($0, scale, 0...63)) }
    let minima = floors.map { UInt8(quotient($0, minimum, 0...63)) }
    appendHalf(scale, &output)
    appendHalf(minimum, &output)
    for index in 0..<4 { output.append(scales[index] | (scales[index + 4] >> 4) << 6) }
    for index in 0..<4 { output.append(minima[index] | (minima[index + 4] >> 4) << 6) }
    for index in 4..<8 { output.append(scales[index] & 15 | minima[index] << 4) }
    let quants = groups.indices.map { group in
      groups[group].map {
        UInt8(
          quotient(
            $0 + minimum * Float(minima[group]), scale * Float(scales[group]), 0...15))
      }
    }
    for pair in stride(from: 0, to: 8, by: 2) {
      for lane in 0..<32 { output.append(quants[pair][lane] | quants[pair + 1][lane] << 4) }
    }
  }

  /// Sixteen groups of 16; value = scale * group scale * (quant - 32).
  private static func appendQ6_K(_ block: [Float], _ output: inout [UInt8]) {
    let steps = (0..<16).map { group in
      (block[group * 16..<group * 16 + 16].map(abs).max() ?? 0) / 31
    }
    let scale = half((steps.max() ?? 0) / 127)
    let scales = steps.map { quotient($0, scale, 0...127) }
    let quants = block.indices.map { index in
      UInt8(quotient(block[index], scale * Float(scales[index / 16]), -32...31) + 32)
    }
    for half in [0, 128] {
      for index in half..<half + 64 {
        output.append(quants[index] & 15 | (quants[index + 64] & 15) << 4)
      }
    }
    for half in [0, 128] {
      for lane in half..<half + 32 {
        let high = (0..<4).map { (quants[lane + $0 * 32] >> 4) << UInt8($0 * 2) }
        output.append(high.reduce(0, |))
      }
    }
    for scale in scales { output.append(UInt8(scale)) }
    appendHalf(scale, &output)
  }
}
