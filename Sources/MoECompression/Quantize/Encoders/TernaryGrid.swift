import MoEKernels

/// The three values {low, 0, high} of some elements of a row (QMoE, arXiv 2310.16795, section 3).
package struct TernaryGrid: Sendable, Equatable, ValueRounder {
  /// At most 0, a bfloat16.
  package let low: Float
  /// At least 0, a bfloat16.
  package let high: Float

  /// The grid between the smallest and the largest weight, or 0; of zeros alone -1 and 1.
  ///
  /// - Parameter weights: Finite.
  package init(_ weights: Span<Float>) {
    var (low, high) = (Float(0), Float(0))
    for index in weights.indices {
      low = min(low, weights[index])
      high = max(high, weights[index])
    }
    if low == 0 && high == 0 { (low, high) = (-1, 1) }
    self.low = low.asBrainFloat
    self.high = high.asBrainFloat
  }

  /// Beyond half of the way to high or low; exactly half of it is still 0. Where low is 0 it has no
  /// digit of its own, so that the same value always has the same digit.
  package func code(_ value: Double) -> UInt8 {
    if value > Double(high) / 2 { return high == 0 ? TernaryRows.zeroDigit : TernaryRows.highDigit }
    if value < Double(low) / 2 { return low == 0 ? TernaryRows.zeroDigit : TernaryRows.lowDigit }
    return TernaryRows.zeroDigit
  }

  package func value(_ code: UInt8) -> Float {
    switch code {
    case TernaryRows.lowDigit: low
    case TernaryRows.highDigit: high
    default: 0
    }
  }
}

extension Float {
  /// The nearest bfloat16, half to even; the largest finite one for what would be infinite.
  var asBrainFloat: Float {
    let bits = bitPattern
    let rounded = (bits &+ 0x7FFF &+ (bits >> 16 & 1)) & 0xFFFF_0000
    let value = Float(bitPattern: rounded)
    return value.isFinite ? value : Float(bitPattern: bits & 0xFFFF_0000)
  }

  var brainFloatBits: UInt16 { UInt16(truncatingIfNeeded: bitPattern >> 16) }
}
