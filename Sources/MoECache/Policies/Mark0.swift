import MoECore

/// Mark0 of "Paging with Succinct Predictions" (arXiv 2210.02775), with discard predictions: an
/// expert of which the bit says that it may go, goes first; the rest is a random marking scheme.
///
/// A phase begins with all experts of a layer unmarked; a use marks. A miss evicts a random
/// unmarked one. The paper sends what may go away at once, here its slot is the first to be taken,
/// that of the least recently used one before others.
/// The paper distinguishes misses of experts that were there when the phase began, which take the
/// slot of one not yet used since; as all that came later is marked, every unmarked expert is that.
struct Mark0: EvictionPolicy {
  private let geometry: CacheGeometry
  private var predictor: any OneBitPredictor
  private var random: SeededGenerator
  /// (expert ordinal)
  private var isDispensable: [Bool]
  private var isMarked: [Bool]
  /// (expert ordinal): number of its last use.
  private var lastUses: [Double]
  private var useCount = 0.0

  init(geometry: CacheGeometry, predictor: any OneBitPredictor, seed: UInt64 = 1) {
    self.geometry = geometry
    self.predictor = predictor
    random = SeededGenerator(seed: seed)
    isDispensable = [Bool](repeating: false, count: geometry.expertCount)
    isMarked = isDispensable
    lastUses = [Double](repeating: 0, count: geometry.expertCount)
  }

  mutating func beginStep(_ step: borrowing LayerStep, in table: borrowing SlotTable) {}

  mutating func resize(in table: borrowing SlotTable) {
    predictor.resize(slotCounts: table.evenShares)
  }

  mutating func insert(_ slot: Int, for use: ExpertUse) {
    isDispensable[use.ordinal] = predictor.isDispensable(after: use)
    isMarked[use.ordinal] = true
    useCount += 1
    lastUses[use.ordinal] = useCount
  }

  mutating func touch(_ slot: Int, for use: ExpertUse) { insert(slot, for: use) }

  mutating func remove(_ slot: Int, of expert: ExpertID) {}

  mutating func victim(for expert: ExpertID, in table: borrowing SlotTable) -> Int? {
    table.firstChoice(for: expert.layer) { giver in
      dispensable(of: giver, in: table) ?? unmarked(of: giver, in: table)
    }
  }

  /// The least recently used one that may go.
  private func dispensable(of layer: Int, in table: borrowing SlotTable) -> Int? {
    var (best, lastUse) = (-1, Double.infinity)
    table.forEachCandidate(of: layer) { ordinal, slot in
      guard isDispensable[ordinal], lastUses[ordinal] < lastUse else { return }
      (best, lastUse) = (slot, lastUses[ordinal])
    }
    return best < 0 ? nil : best
  }

  /// A random unmarked slot. Where all are marked, a phase begins; where the unmarked ones are
  /// pinned, any other will do.
  private mutating func unmarked(of layer: Int, in table: borrowing SlotTable) -> Int? {
    if !table.holds(in: layer, where: { !isMarked[$0] }) {
      for ordinal in geometry.ordinals(of: layer) { isMarked[ordinal] = false }
    }
    return table.randomSlot(of: layer, using: &random) { !isMarked[$0] }
      ?? table.randomSlot(of: layer, using: &random) { _ in true }
  }
}
