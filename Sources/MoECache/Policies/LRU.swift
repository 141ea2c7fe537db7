import MoECore

/// Least recently used, where recency is counted in turns of the expert's own layer.
struct LRU: EvictionPolicy {
  private var slots: RankedSlots

  init(geometry: CacheGeometry) {
    slots = RankedSlots(geometry: geometry, lossPerToken: 1)
  }

  mutating func beginStep(_ step: borrowing LayerStep, in table: borrowing SlotTable) {
    slots.advanceClock(of: step.layer, to: step.time)
  }

  mutating func insert(_ slot: Int, for use: ExpertUse) {
    slots.advanceClock(of: use.layer, to: use.time)
    slots.insert(slot, layer: use.layer, worth: Double(use.time), rank: use.rank)
  }

  mutating func touch(_ slot: Int, for use: ExpertUse) {
    let last = slots.worth(of: slot)
    slots.remove(slot)
    slots.advanceClock(of: use.layer, to: use.time)
    // A step never makes an expert older than it was, in whatever order its experts are visited.
    slots.insert(slot, layer: use.layer, worth: max(last, Double(use.time)), rank: use.rank)
  }

  mutating func remove(_ slot: Int, of expert: ExpertID) { slots.remove(slot) }

  mutating func victim(for expert: ExpertID, in table: borrowing SlotTable) -> Int? {
    slots.victim(for: expert.layer, in: table)
  }
}
