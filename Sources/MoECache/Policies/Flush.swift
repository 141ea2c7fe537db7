import MoECore

/// Flush-when-all-0s of "Paging with Succinct Predictions" (arXiv 2210.02775): on a miss evicts any
/// expert that a discard prediction says may go; where there is none, all of the layer's may go.
///
/// With perfect bits it is optimal; it trusts them blindly. A layer is emptied lazily: its experts
/// stay until their slots are wanted. Of those that may go, the least recently used one does.
struct Flush: EvictionPolicy {
  private let geometry: CacheGeometry
  private var predictor: any OneBitPredictor
  /// (expert ordinal): the prediction at its last use, and the number of that.
  private var isDispensable: [Bool]
  private var lastUses: [Double]
  private var useCount = 0.0

  init(geometry: CacheGeometry, predictor: any OneBitPredictor) {
    self.geometry = geometry
    self.predictor = predictor
    isDispensable = [Bool](repeating: false, count: geometry.expertCount)
    lastUses = [Double](repeating: 0, count: geometry.expertCount)
  }

  mutating func beginStep(_ step: borrowing LayerStep, in table: borrowing SlotTable) {}

  mutating func resize(in table: borrowing SlotTable) {
    predictor.resize(slotCounts: table.evenShares)
  }

  mutating func insert(_ slot: Int, for use: ExpertUse) {
    isDispensable[use.ordinal] = predictor.isDispensable(after: use)
    useCount += 1
    lastUses[use.ordinal] = useCount
  }

  mutating func touch(_ slot: Int, for use: ExpertUse) { insert(slot, for: use) }

  mutating func remove(_ slot: Int, of expert: ExpertID) {}

  mutating func victim(for expert: ExpertID, in table: borrowing SlotTable) -> Int? {
    var mayGo = false
    let slot = table.leastSlot(for: expert.layer) { ordinal, _ in
      if isDispensable[ordinal] { mayGo = true }
      return CandidateKey(first: isDispensable[ordinal] ? 0 : 1, second: lastUses[ordinal])
    }
    if slot != nil && !mayGo { flush(for: expert.layer, in: table) }
    return slot
  }

  /// From now on everything may go that the layers hold which may give a slot.
  private mutating func flush(for layer: Int, in table: borrowing SlotTable) {
    for step in 0..<table.classLayerCount(of: layer) {
      let giver = table.giver(step, to: layer)
      guard table.mayGive(giver, to: layer) else { continue }
      for ordinal in geometry.ordinals(of: giver) { isDispensable[ordinal] = true }
    }
  }
}
