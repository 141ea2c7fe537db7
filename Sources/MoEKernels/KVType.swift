internal import CMoEKernelsInterface

/// How keys and values are kept in the cache.
package enum KVType: Sendable, Hashable, CaseIterable {
  case f16, f32, bf16
  /// Blocks of 32: a 16-bit scale, and integers of 8 bits or 4.
  case q8_0, q4_0

  /// Numbers of a position that are kept together; rows are whole blocks.
  package var blockElementCount: Int {
    switch self {
    case .f16, .f32, .bf16: 1
    case .q8_0, .q4_0: Int(MOE_KV_BLOCK)
    }
  }

  package var blockByteCount: Int {
    switch self {
    case .f16, .bf16: 2
    case .f32: 4
    case .q8_0: Int(MOE_KV_Q8_0_BYTES)
    case .q4_0: Int(MOE_KV_Q4_0_BYTES)
    }
  }

  /// Scales included.
  package var bitsPerNumber: Double { 8 * Double(blockByteCount) / Double(blockElementCount) }

  /// What places in a cache are multiples of.
  var alignment: Int { self == .f32 ? 4 : 2 }

  /// Whether rows of so many elements are whole blocks.
  package func divides(_ dimension: Int) -> Bool { dimension % blockElementCount == 0 }

  /// Bytes of one position's row of so many elements, which are whole blocks.
  package func byteCount(dimension: Int) -> Int {
    precondition(divides(dimension))
    return dimension / blockElementCount * blockByteCount
  }

  var cValue: moe_kv_type {
    switch self {
    case .f16: MOE_KV_F16
    case .f32: MOE_KV_F32
    case .bf16: MOE_KV_BF16
    case .q8_0: MOE_KV_Q8_0
    case .q4_0: MOE_KV_Q4_0
    }
  }
}
