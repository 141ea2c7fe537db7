import MoECore

/// Evicts by the time of the second last use (LRU-K with K = 2; O'Neil, O'Neil and Weikum, SIGMOD
/// 1993): an expert that passed by once goes before those that came back.
///
/// Uses at one time count as one. Experts keep their history when they lose their slot. Of experts
/// with even second last uses (or none) the least recently used one goes.
struct LRUK: EvictionPolicy {
  /// (expert ordinal): times of the last two uses, minus infinity where there was none.
  private var lastTimes: [Double]
  private var secondLastTimes: [Double]
  /// (expert ordinal): rank in the last use.
  private var ranks: [Double]
  /// (layer): time of its last step.
  private var clocks: [Double]

  init(geometry: CacheGeometry) {
    lastTimes = [Double](repeating: -.infinity, count: geometry.expertCount)
    secondLastTimes = lastTimes
    ranks = [Double](repeating: 0, count: geometry.expertCount)
    clocks = [Double](repeating: 0, count: geometry.layers.count)
  }

  mutating func beginStep(_ step: borrowing LayerStep, in table: borrowing SlotTable) {
    clocks[step.layer] = max(clocks[step.layer], Double(step.time))
  }

  /// A step of several tokens uses an expert in the last ones before its time, one each.
  mutating func insert(_ slot: Int, for use: ExpertUse) {
    clocks[use.layer] = max(clocks[use.layer], Double(use.time))
    ranks[use.ordinal] = Double(use.rank)
    for token in 0..<min(use.tokenCount, 2) { add(Double(use.time - token), to: use.ordinal) }
  }

  private mutating func add(_ time: Double, to ordinal: Int) {
    if time > lastTimes[ordinal] {
      secondLastTimes[ordinal] = lastTimes[ordinal]
      lastTimes[ordinal] = time
    } else if time < lastTimes[ordinal] {
      secondLastTimes[ordinal] = max(secondLastTimes[ordinal], time)
    }
  }

  mutating func touch(_ slot: Int, for use: ExpertUse) { insert(slot, for: use) }

  mutating func remove(_ slot: Int, of expert: ExpertID) {}

  mutating func victim(for expert: ExpertID, in table: borrowing SlotTable) -> Int? {
    table.leastSlot(for: expert.layer) { ordinal, layer in
      CandidateKey(
        first: secondLastTimes[ordinal] - clocks[layer],
        second: lastTimes[ordinal] - clocks[layer], third: -ranks[ordinal])
    }
  }
}
