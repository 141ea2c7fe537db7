/// A set of bytes, a bit for each.
struct ByteSet: Hashable, Sendable {
  private var bits = SIMD4<UInt64>()

  init() {}

  init(_ ranges: [ClosedRange<UInt8>]) {
    for range in ranges { for byte in range { insert(byte) } }
  }

  var isEmpty: Bool { bits == SIMD4<UInt64>() }

  func contains(_ byte: UInt8) -> Bool { bits[Int(byte >> 6)] >> UInt64(byte & 63) & 1 != 0 }

  mutating func insert(_ byte: UInt8) { bits[Int(byte >> 6)] |= 1 << UInt64(byte & 63) }

  /// Adds the other's bytes, and says whether there were new ones.
  mutating func formUnion(_ other: ByteSet) -> Bool {
    let before = bits
    bits |= other.bits
    return bits != before
  }

  func isDisjoint(with other: ByteSet) -> Bool { bits & other.bits == SIMD4<UInt64>() }
}
