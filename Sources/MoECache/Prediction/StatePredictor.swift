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
  private let geometry: CacheGeometry
  private var counts: DecayedCounts
  /// Working space for one layer's counts.
  private var ordered: [Double]

  init(geometry: CacheGeometry, halfLife: Double) {
    self.geometry = geometry
    counts = DecayedCounts(expertCount: geometry.expertCount, halfLife: halfLife)
    ordered = [Double](repeating: 0, count: geometry.layers.map(\.expertCount).max() ?? 0)
  }

  mutating func note(_ step: borrowing LayerStep) {}

  mutating func note(_ use: ExpertUse) { counts.add(use) }

  mutating func predict(layer: Int, slotCount: Int, into isHeld: inout [Bool], from first: Int) {
    let ordinals = geometry.ordinals(of: layer)
    for place in 0..<ordinals.count { isHeld[first + place] = false }
    guard slotCount > 0 else { return }
    for (place, ordinal) in ordinals.enumerated() { ordered[place] = counts.logarithms[ordinal] }
    let least = selectFromTop(min(slotCount, ordinals.count) - 1, of: ordinals.count)
    var count = 0
    // Those above the least first, so that even ones cannot take their place.
    for (place, ordinal) in ordinals.enumerated()
    where counts.logarithms[ordinal] > least + DecayedCounts.tolerance {
      isHeld[first + place] = true
      count += 1
    }
    for (place, ordinal) in ordinals.enumerated()
    where count < slotCount && !isHeld[first + place]
      && counts.logarithms[ordinal] >= least - DecayedCounts.tolerance
    {
      isHeld[first + place] = true
      count += 1
    }
  }

  /// The value that has `rank` others before it in descending order; Hoare's selection, in place.
  private mutating func selectFromTop(_ rank: Int, of count: Int) -> Double {
    var (low, high) = (0, count - 1)
    while low < high {
      let pivot = ordered[(low + high) / 2]
      var (left, right) = (low, high)
      while left <= right {
        while ordered[left] > pivot { left += 1 }
        while ordered[right] < pivot { right -= 1 }
        if left <= right {
          ordered.swapAt(left, right)
          left += 1
          right -= 1
        }
      }
      if rank <= right {
        high = right
      } else if rank >= left {
        low = left
      } else {
        break
      }
    }
    return ordered[rank]
  }
}
