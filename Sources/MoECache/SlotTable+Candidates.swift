import MoECore

/// How policies that look at every candidate find their victim.
extension SlotTable {
  /// Layers of one size class in the order in which their next turn is furthest away: `layer`,
  /// those before it, the last one, and so on down to the next one.
  func giver(_ step: Int, to layer: Int) -> Int {
    let layers = geometry.layersByClass[geometry.layers[layer].sizeClass]
    let place = geometry.placesInClass[layer]
    return layers[place >= step ? place - step : place - step + layers.count]
  }

  /// Layers with experts in the class of `layer`.
  func classLayerCount(of layer: Int) -> Int {
    geometry.layersByClass[geometry.layers[layer].sizeClass].count
  }

  /// What `choose` makes of the first layer for which it finds something, among those that may give
  /// a slot to `layer`; where none of them has anything, among all layers of the class.
  func firstChoice(for layer: Int, _ choose: (_ giver: Int) -> Int?) -> Int? {
    for respectsFloors in [true, false] {
      for step in 0..<classLayerCount(of: layer) {
        let giver = giver(step, to: layer)
        if respectsFloors && !mayGive(giver, to: layer) { continue }
        if let slot = choose(giver) { return slot }
      }
    }
    return nil
  }

  /// The unpinned slot with the least key among the layers that may give one to `layer`; where
  /// those have pinned all of theirs, among all layers of the class.
  ///
  /// Of even slots the one is taken whose layer's next turn is furthest away, then the one with the
  /// smallest expert index.
  func leastSlot(for layer: Int, by key: (_ ordinal: Int, _ layer: Int) -> CandidateKey) -> Int? {
    for respectsFloors in [true, false] {
      var best: (slot: Int, key: CandidateKey)?
      for step in 0..<classLayerCount(of: layer) {
        let giver = giver(step, to: layer)
        if respectsFloors && !mayGive(giver, to: layer) { continue }
        for ordinal in geometry.ordinals(of: giver) {
          guard let slot = slot(ofOrdinal: ordinal), !isPinned(slot) else { continue }
          let key = key(ordinal, giver)
          if let found = best, found.key <= key { continue }
          best = (slot, key)
        }
      }
      if let best { return best.slot }
    }
    return nil
  }

  /// One of a layer's unpinned slots whose expert (by ordinal) is wanted, each as likely as the
  /// others; nil, with no number drawn, where there is none.
  func randomSlot(
    of layer: Int, using random: inout SeededGenerator, where isWanted: (_ ordinal: Int) -> Bool
  ) -> Int? {
    func isCandidate(_ ordinal: Int) -> Int? {
      guard let slot = slot(ofOrdinal: ordinal), !isPinned(slot), isWanted(ordinal) else {
        return nil
      }
      return slot
    }
    let ordinals = geometry.ordinals(of: layer)
    let count = ordinals.count { isCandidate($0) != nil }
    guard count > 0 else { return nil }
    var left = Int(random.next() % UInt64(count))
    for ordinal in ordinals {
      guard let slot = isCandidate(ordinal) else { continue }
      if left == 0 { return slot }
      left -= 1
    }
    return nil
  }

  /// Whether any of a layer's experts with a slot is of a kind.
  func holds(in layer: Int, where isWanted: (_ ordinal: Int) -> Bool) -> Bool {
    geometry.ordinals(of: layer).contains { slot(ofOrdinal: $0) != nil && isWanted($0) }
  }
}

/// What a policy orders candidates by: the first number, then the second, then the third.
struct CandidateKey: Comparable {
  var first: Double
  var second = 0.0
  var third = 0.0

  static func < (left: CandidateKey, right: CandidateKey) -> Bool {
    (left.first, left.second, left.third) < (right.first, right.second, right.third)
  }
}
