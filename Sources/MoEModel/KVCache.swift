package import MoECore
package import MoEKernels

/// Keys and values of all positions so far, for every layer, in one allocation made at load.
///
/// Layout: (layer, keys then values, keyValueHead, position, headDimension), then working memory of
/// attention over a long past, which all layers share. The capacity is fixed: a decoder refuses
/// positions beyond it.
package struct KVCache: ~Copyable {
  package let type: KVType
  package let layerCount: Int
  /// Positions that fit.
  package let capacity: Int
  private let attention: AttentionDescription
  private let buffer: AlignedBuffer
  private let partialCount: Int

  /// Bytes of keys, or of values, of one layer.
  private static func halfByteCount(
    _ attention: AttentionDescription, capacity: Int, type: KVType
  ) -> Int {
    KVView.byteCount(
      type: type, capacity: capacity, headCount: attention.keyValueHeadCount,
      headDimension: attention.headDimension)
  }

  /// What a cache takes from the memory budget.
  package static func byteCount(
    description: ModelDescription, capacity: Int, type: KVType
  ) -> Int {
    let half = halfByteCount(description.attention, capacity: capacity, type: type)
    let partials = 4 * partialCount(description.attention, capacity: capacity)
    return AlignedBuffer.mappedByteCount(for: 2 * half * description.layerCount + partials)
  }

  private static func partialCount(_ attention: AttentionDescription, capacity: Int) -> Int {
    KVView.partialCount(
      capacity: capacity, queryHeadCount: attention.headCount,
      headDimension: attention.headDimension)
  }

  package init(
    description: ModelDescription, capacity: Int, type: KVType
  ) throws(OutOfMemory) {
    self.type = type
    self.capacity = capacity
    layerCount = description.layerCount
    attention = description.attention
    let half = Self.halfByteCount(attention, capacity: capacity, type: type)
    partialCount = Self.partialCount(attention, capacity: capacity)
    buffer = try AlignedBuffer(byteCount: 2 * half * layerCount + 4 * partialCount)
  }

  /// One layer's part, as the kernels take it.
  package borrowing func view(layer: Int) -> KVView {
    precondition(layer >= 0 && layer < layerCount)
    let half = Self.halfByteCount(attention, capacity: capacity, type: type)
    return KVView(
      keys: buffer.bytes(atOffset: 2 * layer * half, count: half),
      values: buffer.bytes(atOffset: (2 * layer + 1) * half, count: half),
      type: type, capacity: capacity, headCount: attention.keyValueHeadCount,
      headDimension: attention.headDimension,
      partials: buffer.floats(atByteOffset: 2 * half * layerCount, count: partialCount))
  }

  package borrowing func populate() { buffer.populate() }
}
