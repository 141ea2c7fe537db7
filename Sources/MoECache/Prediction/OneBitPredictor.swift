import MoECore

/// Says after each use of an expert whether it may be given up: the one bit that goes with a
/// request in "Paging with Succinct Predictions" (arXiv 2210.02775).
package protocol OneBitPredictor: Sendable {
  /// Hears of a use, in the order in which uses happen. True is the paper's bit 1.
  mutating func isDispensable(after use: ExpertUse) -> Bool
  /// Hears that layers have other shares of the slots than before.
  mutating func resize(slotCounts: [Int])
}

extension OneBitPredictor {
  package mutating func resize(slotCounts: [Int]) {}
}

/// An expert may be given up unless it is among the most used of its layer, where as many count as
/// the layer has slots and uses count less the older they are.
struct FrequencyPredictor: OneBitPredictor {
  /// (layer): slots of an even division.
  private var slotCounts: [Int]
  private var ranking: FrequencyRanking

  init(geometry: CacheGeometry, halfLife: Double) {
    slotCounts = geometry.floors(share: 1)
    ranking = FrequencyRanking(geometry: geometry, halfLife: halfLife)
  }

  mutating func resize(slotCounts: [Int]) { self.slotCounts = slotCounts }

  mutating func isDispensable(after use: ExpertUse) -> Bool {
    ranking.add(use)
    return ranking.betterCount(use.ordinal, layer: use.layer) >= slotCounts[use.layer]
  }
}
