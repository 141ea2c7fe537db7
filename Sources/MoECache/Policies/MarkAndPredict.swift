import MoECore

/// Mark&Predict of "Paging with Succinct Predictions" (arXiv 2210.02775), with phase predictions:
/// marking, which among the unmarked experts takes those that will not be used in the next phase.
///
/// A use marks. A miss evicts a random unmarked expert with bit 1, where there is none a random
/// unmarked one with bit 0; where all of the layer's are marked, all marks go first.
struct MarkAndPredict: EvictionPolicy {
  private let geometry: CacheGeometry
  private var predictor: any OneBitPredictor
  private var random: SeededGenerator
  /// (expert ordinal)
  private var isDispensable: [Bool]
  private var isMarked: [Bool]

  init(geometry: CacheGeometry, predictor: any OneBitPredictor, seed: UInt64 = 1) {
    self.geometry = geometry
    self.predictor = predictor
    random = SeededGenerator(seed: seed)
    isDispensable = [Bool](repeating: false, count: geometry.expertCount)
    isMarked = isDispensable
  }

  mutating func beginStep(_ step: borrowing LayerStep, in table: borrowing SlotTable) {}

  mutating func resize(in table: borrowing SlotTable) {
    predictor.resize(slotCounts: table.evenShares)
  }

  mutating func insert(_ slot: Int, for use: ExpertUse) {
    isDispensable[use.ordinal] = predictor.isDispensable(after: use)
    isMarked[use.ordinal] = true
  }

  mutating func touch(_ slot: Int, for use: ExpertUse) { insert(slot, for: use) }

  mutating func remove(_ slot: Int, of expert: ExpertID) {}

  mutating func victim(for expert: ExpertID, in table: borrowing SlotTable) -> Int? {
    table.firstChoice(for: expert.layer) { giver in
      if !table.holds(in: giver, where: { !isMarked[$0] }) {
        for ordinal in geometry.ordinals(of: giver) { isMarked[ordinal] = false }
      }
      // Where the unmarked ones are pinned, any other will do.
      return table.randomSlot(of: giver, using: &random) { !isMarked[$0] && isDispensable[$0] }
        ?? table.randomSlot(of: giver, using: &random) { !isMarked[$0] }
        ?? table.randomSlot(of: giver, using: &random) { _ in true }
    }
  }
}
