import MoECore

/// Evicts what is used furthest in the future (Belady 1966). For replay, which knows the future: no
/// policy that admits every miss hits more in a pool of one layer, or in one for all layers without
/// floors.
struct Belady: EvictionPolicy {
  private let geometry: CacheGeometry
  private var future: FutureUses
  /// (layer): time of its last step.
  private var clocks: [Int]

  init(geometry: CacheGeometry, future: FutureUses) {
    self.geometry = geometry
    self.future = future
    clocks = [Int](repeating: -1, count: geometry.layers.count)
  }

  mutating func beginStep(_ step: borrowing LayerStep, in table: borrowing SlotTable) {
    clocks[step.layer] = max(clocks[step.layer], step.time)
  }

  mutating func insert(_ slot: Int, for use: ExpertUse) {
    clocks[use.layer] = max(clocks[use.layer], use.time)
  }

  mutating func touch(_ slot: Int, for use: ExpertUse) { insert(slot, for: use) }

  mutating func remove(_ slot: Int, of expert: ExpertID) {}

  mutating func victim(for expert: ExpertID, in table: borrowing SlotTable) -> Int? {
    table.leastSlot(for: expert.layer) { ordinal, layer in
      guard let time = future.next(of: ordinal, after: clocks[layer]) else {
        return CandidateKey(first: -.infinity)
      }
      // Within one token, layers come one after the other.
      return CandidateKey(first: -Double(time), second: -Double(layer))
    }
  }
}
