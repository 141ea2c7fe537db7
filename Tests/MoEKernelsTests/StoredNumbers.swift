import MoEKernels

/// What a cache of each type makes of numbers, as its definition has it.
extension KVType {
  /// The numbers that are kept of rows of whole blocks, one after the other.
  func stored(_ x: [Float]) -> [Float] { loaded(bytes(x), count: x.count) }

  /// The bytes that are kept of them.
  func bytes(_ x: [Float]) -> [UInt8] {
    switch self {
    case .f16: x.flatMap { Self.bytes(Float16($0).bitPattern) }
    case .f32: x.flatMap { value in (0..<4).map { UInt8(value.bitPattern >> (8 * $0) & 255) } }
    case .bf16: x.flatMap { Self.bytes(Self.upperHalf($0)) }
    case .q8_0: blocks(x) { Self.block($0, largest: abs, divisor: 127, range: -127...127) }
    case .q4_0: blocks(x) { Self.nibbles($0) }
    }
  }

  /// The numbers that bytes stand for.
  func loaded(_ bytes: [UInt8], count: Int) -> [Float] {
    (0..<count).map { index in
      let start = index / blockElementCount * blockByteCount
      let place = index % blockElementCount
      let half = UInt16(bytes[start]) | UInt16(bytes[start + 1]) << 8
      switch self {
      case .f16: return Float(Float16(bitPattern: half))
      case .bf16: return Float(bitPattern: UInt32(half) << 16)
      case .f32:
        return Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << (8 * $1) })
      case .q8_0:
        return Float(Float16(bitPattern: half))
          * Float(Int8(bitPattern: bytes[start + 2 + place]))
      case .q4_0:
        let byte = bytes[start + 2 + place % 16]
        return Float(Float16(bitPattern: half)) * Float(Int(place < 16 ? byte & 15 : byte >> 4) - 8)
      }
    }
  }

  private static func bytes(_ half: UInt16) -> [UInt8] { [UInt8(half & 255), UInt8(half >> 8)] }

  /// To nearest, ties to even.
  private static func upperHalf(_ x: Float) -> UInt16 {
    if x.isNaN { return UInt16(x.bitPattern >> 16) | 0x40 }
    let bits = UInt64(x.bitPattern)
    let (half, rest) = (bits >> 16, bits & 0xffff)
    return UInt16(half + (rest > 0x8000 || (rest == 0x8000 && half % 2 == 1) ? 1 : 0))
  }

  private func blocks(_ x: [Float], _ block: ([Float]) -> [UInt8]) -> [UInt8] {
    stride(from: 0, to: x.count, by: 32).flatMap { block(Array(x[$0..<$0 + 32])) }
  }

  /// A scale, by which the number of largest magnitude becomes `divisor`, and the integers.
  private static func quantized(
    _ x: [Float], _ largest: (Float) -> Float, _ divisor: Float, _ range: ClosedRange<Int>
  ) -> (scale: Float16, quants: [Int]) {
    guard x.allSatisfy(\.isFinite) else { return (.nan, x.map { _ in 0 }) }
    var most: Float = 0
    for value in x where abs(value) > abs(most) { most = value }
    var scale = Float16(largest(most) / divisor)
    if scale.isInfinite { scale = scale < 0 ? -.greatestFiniteMagnitude : .greatestFiniteMagnitude }
    guard scale != 0 else { return (scale, x.map { _ in 0 }) }
    let inverse = 1 / Float(scale)
    let quants = x.map { value in
      let quant = (value * inverse).rounded(.toNearestOrEven)
      return min(max(Int(quant.clamped), range.lowerBound), range.upperBound)
    }
    return (scale, quants)
  }

  private static func block(
    _ x: [Float], largest: (Float) -> Float, divisor: Float, range: ClosedRange<Int>
  ) -> [UInt8] {
    let (scale, quants) = quantized(x, largest, divisor, range)
    return bytes(scale.isNaN ? 0x7e00 : scale.bitPattern)
      + quants.map { UInt8(bitPattern: Int8($0)) }
  }

  private static func nibbles(_ x: [Float]) -> [UInt8] {
    let (scale, quants) = quantized(x, { $0 }, -8, -8...7)
    return bytes(scale.isNaN ? 0x7e00 : scale.bitPattern)
      + (0..<16).map { UInt8(quants[$0] + 8 | (quants[$0 + 16] + 8) << 4) }
  }
}

extension Float {
  /// Near enough to an integer's range to become one.
  fileprivate var clamped: Float { Swift.min(Swift.max(self, -1e6), 1e6) }
}

extension AttentionShape {
  /// With widths that are whole blocks of a type.
  func inWholeBlocks(of type: KVType) -> AttentionShape {
    let block = type.blockElementCount
    var shape = self
    shape.keyWidth = (keyWidth + block - 1) / block * block
    shape.valueWidth = (valueWidth + block - 1) / block * block
    return shape
  }
}
