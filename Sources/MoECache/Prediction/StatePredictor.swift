import MoECore

/// Says which experts of a layer a good cache would hold now: the prediction that "Caching with Few
/// Predictions" (arXiv 2404.06280) asks for at times of its own choosing.
package protocol StatePredictor: Sendable {
  /// Hears of a step before its uses.
  mutating func note(_ step: borrowing LayerStep)
  /// Hears of a use.
  mutating func note(_ use: ExpertUse)
  /// Sets, for each expert of the layer from `isHeld[first]` on, whether it should be held.
  mutating func predict(layer: Int, slotCount: Int, into isHeld: inout [Bool], from first: Int)
}

/// As many experts as the layer has slots: those used most, where uses count less the older they
/// are.
struct FrequentExperts: StatePredictor {
  private var ranking: FrequencyRanking

  init(geometry: CacheGeometry, halfLife: Double) {
    ranking = FrequencyRanking(geometry: geometry, halfLife: halfLife)
  }

  mutating func note(_ step: borrowing LayerStep) {}

  mutating func note(_ use: ExpertUse) { ranking.add(use) }

  mutating func predict(layer: Int, slotCount: Int, into isHeld: inout [Bool], from first: Int) {
    ranking.writeTop(slotCount, layer: layer, to: &isHeld, from: first)
  }
}
