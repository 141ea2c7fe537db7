/// The list of a `PriorityStack`, top first, in blocks.
///
/// Of each block a word is known that none of its entries is below, so that what sinks passes over
/// blocks in which it changes nothing, and of each expert its block, so that it is found at once.
struct EntryList {
  static let protected: UInt64 = 1 << 63
  private static let expertMask: UInt64 = 0xFFFF
  private static let blockSize = 32

  private var entries: [UInt64] = []
  /// (block)
  private var floors: [UInt64] = []
  /// (expert): -1 where it is not in the list.
  private var blocks: [Int32]

  init(expertCount: Int) {
    blocks = Array(repeating: -1, count: expertCount)
    entries.reserveCapacity(expertCount)
    floors.reserveCapacity(expertCount / Self.blockSize + 1)
  }

  var count: Int { entries.count }

  mutating func clear() {
    for entry in entries { blocks[Int(entry & Self.expertMask)] = -1 }
    entries.removeAll(keepingCapacity: true)
    floors.removeAll(keepingCapacity: true)
  }

  /// Where an expert is; -1 where it is not.
  func index(of expert: Int) -> Int {
    let block = Int(blocks[expert])
    guard block >= 0 else { return -1 }
    var index = block * Self.blockSize
    while entries[index] & Self.expertMask != UInt64(expert) { index += 1 }
    return index
  }

  mutating func protect(_ index: Int) { entries[index] |= Self.protected }

  /// Takes protection from the first entries. All that a step protects is on top when it ends,
  /// whatever else there is.
  mutating func unprotect(_ count: Int) {
    for index in 0..<min(count, entries.count) {
      entries[index] &= ~Self.protected
      let block = index / Self.blockSize
      floors[block] = min(floors[block], entries[index])
    }
  }

  /// Adds to an expert's entry, if it is here.
  mutating func raise(_ expert: Int, by unit: UInt64) {
    let index = index(of: expert)
    if index >= 0 { entries[index] += unit }
  }

  /// Writes all counts of a new window into the entries.
  mutating func reprice(_ counts: [UInt64], unit: UInt64) {
    for index in entries.indices {
      let entry = entries[index]
      let priced = entry & (unit - 1) | counts[Int(entry & Self.expertMask)] * unit
      entries[index] = priced
      let block = index / Self.blockSize
      floors[block] = min(floors[block], priced)
    }
  }

  /// Puts an expert on top with a new entry. What was there sinks to where the expert was.
  mutating func use(_ entry: UInt64) {
    let expert = Int(entry & Self.expertMask)
    let target = Int(blocks[expert])
    guard !entries.isEmpty else { return append(entry) }
    var carried = entries[0]
    entries[0] = entry
    floors[0] = min(floors[0], entry)
    blocks[expert] = 0
    if Int(carried & Self.expertMask) == expert { return }
    let last = target < 0 ? floors.count - 1 : target
    var block = 0
    while block <= last {
      if block == target {
        return sink(carried, inBlockOf: expert, block)
      }
      if floors[block] < carried { sink(&carried, through: block) }
      block += 1
    }
    append(carried)
  }

  private mutating func append(_ entry: UInt64) {
    let block = entries.count / Self.blockSize
    entries.append(entry)
    if block == floors.count {
      floors.append(entry)
    } else {
      floors[block] = min(floors[block], entry)
    }
    blocks[Int(entry & Self.expertMask)] = Int32(block)
  }

  /// At each place the entry of less priority goes on.
  private mutating func sink(_ carried: inout UInt64, through block: Int) {
    let first = max(block * Self.blockSize, 1)
    let end = min((block + 1) * Self.blockSize, entries.count)
    let entering = carried
    var sinking = carried
    var floor = block == 0 ? entries[0] : UInt64.max
    var span = entries.mutableSpan
    for index in first..<end {
      let other = span[index]
      let staying = max(other, sinking)
      sinking = min(other, sinking)
      span[index] = staying
      floor = min(floor, staying)
    }
    floors[block] = floor
    if sinking != entering { blocks[Int(entering & Self.expertMask)] = Int32(block) }
    carried = sinking
  }

  /// Ends at the place that the expert left.
  private mutating func sink(_ carried: UInt64, inBlockOf expert: Int, _ block: Int) {
    blocks[Int(carried & Self.expertMask)] = Int32(block)
    floors[block] = min(floors[block], carried)
    let first = max(block * Self.blockSize, 1)
    let end = min((block + 1) * Self.blockSize, entries.count)
    var sinking = carried
    var span = entries.mutableSpan
    for index in first..<end {
      let other = span[index]
      if other & Self.expertMask == UInt64(expert) {
        span[index] = sinking
        return
      }
      span[index] = max(other, sinking)
      sinking = min(other, sinking)
    }
  }
}
