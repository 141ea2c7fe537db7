internal import CMoEKernels
package import MoECore

/// How keys and values are kept in the cache.
package enum KVType: Sendable, Hashable, CaseIterable {
  case f16, f32

  package var elementByteCount: Int {
    switch self {
    case .f16: 2
    case .f32: 4
    }
  }

  var cValue: moe_kv_type {
    switch self {
    case .f16: MOE_KV_F16
    case .f32: MOE_KV_F32
    }
  }
}

/// One layer's part of the KV cache: keys and values, each in blocks of positions, and a block
/// (headCount, blockPositionCount, headDimension).
package struct KVView: Sendable {
  package let keys: ByteView
  package let values: ByteView
  package let type: KVType
  /// Positions that there is room for.
  package let capacity: Int
  package let blockPositionCount: Int
  /// Bytes from a block to the next one.
  package let blockByteStride: Int
  /// Key-value heads.
  package let headCount: Int
  package let headDimension: Int
  /// Room for what workers find in parts of one token's past; see `partialCount`. Nil: they share
  /// the heads alone.
  package let partials: FloatView?

  /// Positions of a block divide evenly by this where there are several blocks.
  package static let blockGrain = Int(MOE_KV_BLOCK_GRAIN)

  /// Bytes of the keys, and as many again of the values, of one layer's `capacity` positions.
  package static func byteCount(
    type: KVType, capacity: Int, headCount: Int, headDimension: Int
  ) -> Int {
    precondition(capacity >= 0 && headCount > 0 && headDimension > 0)
    return capacity * headCount * headDimension * type.elementByteCount
  }

  /// Largest head dimension that attention takes.
  package static let headDimensionMax = Int(MOE_ATTENTION_HEAD_DIMENSION_MAX)

  /// Floats of `partials`, for so many query heads.
  package static func partialCount(
    capacity: Int, queryHeadCount: Int, headDimension: Int
  ) -> Int {
    (capacity + spanCount - 1) / spanCount * queryHeadCount * (headDimension + 2)
  }

  /// Positions whose sums are taken from scratch; those of spans are then added up in order.
  static let spanCount = Int(MOE_ATTENTION_SPAN)

  /// - Parameters:
  ///   - keys: From the layer's first block to the end of its last; and so `values`.
  ///   - blockPositionCount: Nil: all positions are one block.
  package init(
    keys: ByteView, values: ByteView, type: KVType, capacity: Int, headCount: Int,
    headDimension: Int, blockPositionCount: Int? = nil, blockByteStride: Int = 0,
    partials: FloatView? = nil
  ) {
    let positions = blockPositionCount ?? max(1, capacity)
    let block = Self.byteCount(
      type: type, capacity: positions, headCount: headCount, headDimension: headDimension)
    let blockCount = (capacity + positions - 1) / positions
    precondition(positions > 0)
    if blockCount > 1 {
      precondition(positions % Self.blockGrain == 0 && blockByteStride >= block)
    }
    let byteCount = max(0, blockCount - 1) * blockByteStride + (blockCount > 0 ? block : 0)
    precondition(keys.count >= byteCount && values.count >= byteCount)
    self.keys = keys
    self.values = values
    self.type = type
    self.capacity = capacity
    self.blockPositionCount = positions
    self.blockByteStride = blockByteStride
    self.headCount = headCount
    self.headDimension = headDimension
    self.partials = partials
  }
}
