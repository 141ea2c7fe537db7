package import MoECore
package import MoEKernels

/// Keys and values of all positions so far, for every layer.
///
/// Layout: (block of positions, layer, keys then values, keyValueHead, position in the block,
/// headDimension). Address space is reserved for all of the capacity; memory is taken block by
/// block, by `hold`, so that what a short sequence leaves can serve something else. Working memory
/// of attention over a long past, which all layers share, is apart. The capacity is fixed: a
/// decoder refuses positions beyond it.
@safe package struct KVCache: ~Copyable {
  package let type: KVType
  /// Positions that fit.
  package let capacity: Int
  private let shape: Shape
  private let buffer: AlignedBuffer
  private let partialBuffer: AlignedBuffer
  /// (block) addresses, as the kernels take them.
  private let addresses: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  /// Blocks from the first on that have memory.
  private var heldBlockCount = 0

  /// Positions of a block: few enough that little is held in advance, and enough that the key of a
  /// block's first position is seldom fetched without notice.
  package static let blockPositionCount = 256

  /// How a cache is laid out.
  private struct Shape {
    var positionCount: Int
    var blockCount: Int
    /// Bytes of keys, or of values, of one layer in a block.
    var halfByteCount: Int
    /// Bytes from a block to the next: whole pages, huge ones for large blocks.
    var blockByteStride: Int
    var partialCount: Int
    var layerCount: Int
    var attention: AttentionDescription

    init(_ description: ModelDescription, capacity: Int, type: KVType) {
      attention = description.attention
      layerCount = description.layerCount
      positionCount = max(1, min(KVCache.blockPositionCount, capacity))
      blockCount = (capacity + positionCount - 1) / positionCount
      halfByteCount = KVView.byteCount(
        type: type, capacity: positionCount, headCount: attention.keyValueHeadCount,
        headDimension: attention.headDimension)
      blockByteStride = AlignedBuffer.mappedByteCount(for: 2 * halfByteCount * layerCount)
      partialCount = KVView.partialCount(
        capacity: capacity, queryHeadCount: attention.headCount,
        valueHeadDimension: attention.headDimension)
    }

    var byteCount: Int { blockCount * blockByteStride }
  }

  /// What a cache takes from the memory budget when all of its positions are held.
  package static func byteCount(
    description: ModelDescription, capacity: Int, type: KVType
  ) -> Int {
    heldByteCount(
      description: description, capacity: capacity, type: type, positions: capacity)
  }

  /// What it takes while `positions` are held.
  package static func heldByteCount(
    description: ModelDescription, capacity: Int, type: KVType, positions: Int
  ) -> Int {
    let shape = Shape(description, capacity: capacity, type: type)
    let blocks = (positions + shape.positionCount - 1) / shape.positionCount
    return mappedByteCount(shape, blockCount: blocks)
      + AlignedBuffer.mappedByteCount(for: 4 * shape.partialCount)
  }

  /// Where the whole is large, small blocks share huge pages.
  private static func mappedByteCount(_ shape: Shape, blockCount: Int) -> Int {
    let byteCount = blockCount * shape.blockByteStride
    if byteCount == 0 { return 0 }
    return shape.byteCount >= AlignedBuffer.hugePageByteCount
      ? AlignedBuffer.mappedByteCount(for: max(byteCount, AlignedBuffer.hugePageByteCount))
      : byteCount
  }

  package init(
    description: ModelDescription, capacity: Int, type: KVType
  ) throws(OutOfMemory) {
    self.type = type
    self.capacity = capacity
    let shape = Shape(description, capacity: capacity, type: type)
    let blocks = try AlignedBuffer(
      byteCount: Self.mappedByteCount(shape, blockCount: shape.blockCount))
    let partials = try AlignedBuffer(byteCount: 4 * shape.partialCount)
    partials.populate()
    unsafe addresses = .allocate(capacity: shape.blockCount)
    for block in 0..<shape.blockCount {
      let bytes = blocks.bytes(
        atOffset: block * shape.blockByteStride, count: shape.blockByteStride)
      unsafe (addresses + block).initialize(to: bytes.pointer)
    }
    self.shape = shape
    buffer = blocks
    partialBuffer = partials
  }

  deinit { unsafe addresses.deallocate() }

  /// One layer's part, as the kernels take it.
  package borrowing func view(layer: Int) -> KVView {
    precondition(layer >= 0 && layer < shape.layerCount)
    let half = shape.halfByteCount
    return KVView(
      pages: table, keyOffset: 2 * layer * half, valueOffset: (2 * layer + 1) * half, type: type,
      headCount: shape.attention.keyValueHeadCount,
      keyHeadDimension: shape.attention.headDimension,
      valueHeadDimension: shape.attention.headDimension, pagePositionCount: shape.positionCount,
      capacity: capacity)
  }

  private var table: PageTable {
    unsafe PageTable(
      addresses, count: shape.blockCount, pageByteCount: shape.blockByteStride)
  }

  /// What attention needs besides, for one row over all positions.
  package var partials: FloatView { partialBuffer.floats(count: shape.partialCount) }

  /// Positions from 0 on that have memory.
  package var heldPositionCount: Int { heldBlockCount * shape.positionCount }

  /// What of the budget is in use when at least `positions` are held.
  package borrowing func heldByteCount(positions: Int) -> Int {
    let blocks = (positions + shape.positionCount - 1) / shape.positionCount
    return Self.mappedByteCount(shape, blockCount: blocks)
  }

  /// Takes memory for at least `positions` from 0 on, and gives back what lies behind them.
  package mutating func hold(positions: Int) {
    precondition(positions >= 0 && positions <= capacity)
    let blocks = (positions + shape.positionCount - 1) / shape.positionCount
    let held = Self.mappedByteCount(shape, blockCount: heldBlockCount)
    let wanted = Self.mappedByteCount(shape, blockCount: blocks)
    if wanted > held {
      AlignedBuffer.populate(buffer.bytes(atOffset: held, count: wanted - held))
    } else if wanted < held {
      AlignedBuffer.discard(buffer.bytes(atOffset: wanted, count: held - wanted))
    }
    heldBlockCount = blocks
  }
}
