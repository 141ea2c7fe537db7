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
  private let geometry: CacheGeometry
  /// (layer): slots of an even division.
  private var slotCounts: [Int]
  private var counts: DecayedCounts

  init(geometry: CacheGeometry, halfLife: Double) {
    self.geometry = geometry
    slotCounts = geometry.floors(share: 1)
    counts = DecayedCounts(expertCount: geometry.expertCount, halfLife: halfLife)
  }

  mutating func resize(slotCounts: [Int]) { self.slotCounts = slotCounts }

  mutating func isDispensable(after use: ExpertUse) -> Bool {
    counts.add(use)
    let own = counts.logarithms[use.ordinal]
    let better = geometry.ordinals(of: use.layer).count {
      counts.logarithms[$0] > own + DecayedCounts.tolerance
    }
    return better >= slotCounts[use.layer]
  }
}
