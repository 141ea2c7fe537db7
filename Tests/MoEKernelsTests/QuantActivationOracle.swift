import MoEKernels

/// Activations brought to integers with Swift's own arithmetic, as the formats' definitions say.
struct RoundedActivations {
  let quants: [Int]
  /// One per block.
  let scales: [Float]
  /// What the integers stand for.
  let values: [Double]

  init(_ x: [Float], form: ActivationForm) {
    switch form {
    case .f32:
      self.init(quants: [], scales: [], values: x.map(Double.init))
    case .q8_0:
      self.init(x, blockCount: 32) { block in
        let largest = block.map(abs).max() ?? 0
        let exact = largest / 127
        let scale = Float(Float16(exact))
        return scale == 0 ? (0, 0) : (1 / exact, scale.isFinite ? scale : exact)
      }
    case .q8_K:
      self.init(x, blockCount: 256) { block in
        let magnitude = block.map(abs).max() ?? 0
        let largest = block.first { abs($0) == magnitude } ?? 0
        let factor = -127 / largest
        return factor.isFinite ? (factor, 1 / factor) : (0, 0)
      }
    case .q13:
      self.init(x, blockCount: x.count) { block in
        let largest = block.map(abs).max() ?? 0
        let factor = 4095 / largest
        return factor.isFinite ? (factor, largest / 4095) : (0, 0)
      }
    }
  }

  private init(
    _ x: [Float], blockCount: Int, factors: (ArraySlice<Float>) -> (factor: Float, scale: Float)
  ) {
    var quants: [Int] = []
    var scales: [Float] = []
    var values: [Double] = []
    for start in stride(from: 0, to: x.count, by: blockCount) {
      let block = x[start..<start + blockCount]
      let (factor, scale) =
        block.allSatisfy(\.isFinite) ? factors(block) : (factor: 0, scale: Float.nan)
      for value in block {
        let quant = factor == 0 ? 0 : Int((value * factor).rounded(.toNearestOrEven))
        quants.append(quant)
        values.append(Double(quant) * Double(scale))
      }
      scales.append(scale)
    }
    self.init(quants: quants, scales: scales, values: values)
  }

  private init(quants: [Int], scales: [Float], values: [Double]) {
    self.quants = quants
    self.scales = scales
    self.values = values
  }

  /// The row as the products read it: quants, then scales and sums of 16, which Q8_K has the other
  /// way round.
  func rowBytes(_ form: ActivationForm, x: [Float]) -> [UInt8] {
    let scaleBytes = scales.flatMap { $0.bitPattern.bytes }
    if form == .q13 {
      let zeros = { Array(repeating: 0 as UInt8, count: $0) }
      return scaleBytes + zeros(60)
        + quants.flatMap { Array(UInt32(bitPattern: Int32($0)).bytes.prefix(2)) } + zeros(64)
    }
    let quantBytes = quants.map { UInt8(truncatingIfNeeded: $0) }
    let sumBytes = stride(from: 0, to: quants.count, by: 16).flatMap { start in
      let sum = quants[start..<start + 16].reduce(0, +)
      let bits = UInt16(bitPattern: Int16(sum))
      return [UInt8(truncatingIfNeeded: bits), UInt8(truncatingIfNeeded: bits >> 8)]
    }
    return switch form {
    case .f32: x.flatMap { $0.bitPattern.bytes }
    case .q8_0: quantBytes + scaleBytes + sumBytes
    case .q8_K: quantBytes + sumBytes + scaleBytes
    case .q13: []
    }
  }
}

extension UInt32 {
  /// Little-endian.
  fileprivate var bytes: [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: self >> (8 * $0)) } }
}
