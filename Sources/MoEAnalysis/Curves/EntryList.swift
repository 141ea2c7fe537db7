/// The list of a `PriorityStack`, top first, in blocks.
///
/// Of each block a word is known that none of its entries is below, so that what sinks passes over
/// blocks in which it changes nothing, and of each expert its block, so that it is found at once.
///
/// Whatever sinks through a block does so in the same loop over all of its places, which the
/// compiler knows the number of: places that hold nothing are of the highest priority, and the one
/// that a used expert left is of none, so that what sinks ends there.
struct EntryList {
  static let protected: UInt64 = 1 << 63
  private static let expertMask: UInt64 = 0xFFFF
  private static let blockSize = 32
  /// The place that a used expert left. No entry is 0.
  private static let hole: UInt64 = 0
  /// A place with nothing in it.
  private static let nothing = UInt64.max

  private typealias Block = InlineArray<32, UInt64>
  /// (block, place)
  private var entries: [Block] = []
  /// (block)
  private var floors: [UInt64] = []
  /// (expert): -1 where it is not in the list.
  private var blocks: [Int32]
  private(set) var count = 0

  init(expertCount: Int) {
    blocks = Array(repeating: -1, count: expertCount)
    entries.reserveCapacity(expertCount / Self.blockSize + 1)
    floors.reserveCapacity(expertCount / Self.blockSize + 1)
  }

  mutating func clear() {
    for index in blocks.indices { blocks[index] = -1 }
    entries.removeAll(keepingCapacity: true)
    floors.removeAll(keepingCapacity: true)
    count = 0
  }

  /// Where an expert is; -1 where it is not.
  func index(of expert: Int) -> Int {
    let block = Int(blocks[expert])
    guard block >= 0 else { return -1 }
    return block * Self.blockSize + place(of: expert, in: block)
  }

  private func place(of expert: Int, in block: Int) -> Int {
    let wanted = UInt64(expert)
    let words = entries.span
    var place = 0
    while words[block][place] & Self.expertMask != wanted { place += 1 }
    return place
  }

  mutating func protect(_ index: Int) {
    entries[index / Self.blockSize][index % Self.blockSize] |= Self.protected
  }

  /// Takes protection from the first entries. All that a step protects is on top when it ends,
  /// whatever else there is.
  mutating func unprotect(_ count: Int) {
    for index in 0..<min(count, self.count) {
      let (block, place) = (index / Self.blockSize, index % Self.blockSize)
      let entry = entries[block][place] & ~Self.protected
      entries[block][place] = entry
      floors[block] = min(floors[block], entry)
    }
  }

  /// Adds to an expert's entry, if it is here.
  mutating func raise(_ expert: Int, by unit: UInt64) {
    let block = Int(blocks[expert])
    if block >= 0 { entries[block][place(of: expert, in: block)] += unit }
  }

  /// Writes all counts of a new window into the entries.
  mutating func reprice(_ counts: [UInt64], unit: UInt64) {
    for index in 0..<count {
      let (block, place) = (index / Self.blockSize, index % Self.blockSize)
      let entry = entries[block][place]
      let priced = entry & (unit - 1) | counts[Int(entry & Self.expertMask)] * unit
      entries[block][place] = priced
      floors[block] = min(floors[block], priced)
    }
  }

  /// Puts an expert on top with a new entry. What was there sinks to where the expert was.
  mutating func use(_ entry: UInt64) {
    let expert = Int(entry & Self.expertMask)
    let target = Int(blocks[expert])
    guard count > 0 else { return append(entry) }
    var carried = entries[0][0]
    if target >= 0 {
      if Int(carried & Self.expertMask) == expert { return replaceTop(entry) }
      entries[target][place(of: expert, in: target)] = Self.hole
    }
    // The top takes no part.
    entries[0][0] = Self.nothing
    let last = target < 0 ? floors.count - 1 : target
    for block in 0...last where block == target || floors[block] < carried {
      let entering = carried
      floors[block] = Self.sink(&carried, through: &entries[block])
      if carried != entering { blocks[Int(entering & Self.expertMask)] = Int32(block) }
    }
    replaceTop(entry)
    blocks[expert] = 0
    if target < 0 { append(carried) }
  }

  private mutating func replaceTop(_ entry: UInt64) {
    entries[0][0] = entry
    floors[0] = min(floors[0], entry)
  }

  private mutating func append(_ entry: UInt64) {
    let (block, place) = (count / Self.blockSize, count % Self.blockSize)
    if place == 0 {
      entries.append(Block(repeating: Self.nothing))
      floors.append(entry)
    }
    entries[block][place] = entry
    floors[block] = min(floors[block], entry)
    blocks[Int(entry & Self.expertMask)] = Int32(block)
    count += 1
  }

  /// At each place the entry of less priority goes on. Returns the least one that stays.
  private static func sink(_ carried: inout UInt64, through block: inout Block) -> UInt64 {
    var (sinking, floor) = (carried, UInt64.max)
    for place in 0..<blockSize {
      let other = block[place]
      let staying = max(other, sinking)
      sinking = min(other, sinking)
      block[place] = staying
      floor = min(floor, staying)
    }
    carried = sinking
    return floor
  }
}
