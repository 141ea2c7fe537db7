import MoECore

/// The rule of SCH (arXiv 2505.16056, as of its third version) with predicted counts: evicts the
/// expert with the fewest uses expected in the coming segment, among even ones the least recently
/// used.
///
/// SCH counts the uses in the next `segmentLength` tokens, which only a replay knows. Here the
/// segment to come is taken to be like the one that has just gone by.
struct SegmentFrequency: EvictionPolicy {
  /// Bit n: used n tokens before `time`.
  private struct History {
    var bits: UInt64 = 0
    var time = 0
    var rank = 0
  }

  private let segmentLength: Int
  /// (expert ordinal)
  private var histories: [History]
  /// (layer): time of its last step.
  private var clocks: [Int]

  init(geometry: CacheGeometry, segmentLength: Int) {
    precondition((1...64).contains(segmentLength))
    self.segmentLength = segmentLength
    histories = [History](repeating: History(), count: geometry.expertCount)
    clocks = [Int](repeating: 0, count: geometry.layers.count)
  }

  mutating func beginStep(_ step: borrowing LayerStep, in table: borrowing SlotTable) {
    clocks[step.layer] = max(clocks[step.layer], step.time)
  }

  /// A step of several tokens uses an expert in the last ones before its time, one each.
  mutating func insert(_ slot: Int, for use: ExpertUse) {
    clocks[use.layer] = max(clocks[use.layer], use.time)
    var history = histories[use.ordinal]
    let bits = use.tokenCount >= 64 ? UInt64.max : (1 << UInt64(use.tokenCount)) - 1
    if use.time >= history.time || history.bits == 0 {
      // The smart shift gives 0 for distances of 64 and more.
      history.bits = history.bits << (use.time - history.time) | bits
      history.time = use.time
    } else {
      history.bits |= bits << (history.time - use.time)
    }
    history.rank = use.rank
    histories[use.ordinal] = history
  }

  mutating func touch(_ slot: Int, for use: ExpertUse) { insert(slot, for: use) }

  mutating func remove(_ slot: Int, of expert: ExpertID) {}

  mutating func victim(for expert: ExpertID, in table: borrowing SlotTable) -> Int? {
    let segment = UInt64.max >> (64 - segmentLength)
    return table.leastSlot(for: expert.layer) { ordinal, layer in
      let history = histories[ordinal]
      let age = clocks[layer] - history.time
      let count = (history.bits << age & segment).nonzeroBitCount
      return CandidateKey(
        first: Double(count), second: -Double(age), third: -Double(history.rank))
    }
  }
}
