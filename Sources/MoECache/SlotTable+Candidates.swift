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

  /// Calls `body` with each of a layer's experts that may lose its slot, in ascending order.
  @inline(__always)
  func forEachCandidate(of layer: Int, _ body: (_ ordinal: Int, _ slot: Int) -> Void) {
    let first = geometry.ordinals(of: layer).lowerBound
    residents.forEach(in: layer) { index in
      guard let slot = slot(ofOrdinal: first + index), !isPinned(slot) else { return }
      body(first + index, slot)
    }
  }

  /// The unpinned slot with the least key among the layers that may give one to `layer`; where
  /// those have pinned all of theirs, among all layers of the class.
  ///
  /// Of even slots the one is taken whose layer's next turn is furthest away, then the one with the
  /// smallest expert index.
  @inline(__always)
  func leastSlot(for layer: Int, by key: (_ ordinal: Int, _ layer: Int) -> CandidateKey) -> Int? {
    for respectsFloors in [true, false] {
      var best: Int?
      var least = CandidateKey(first: .infinity, second: .infinity, third: .infinity)
      for step in 0..<classLayerCount(of: layer) {
        let giver = giver(step, to: layer)
        if respectsFloors && !mayGive(giver, to: layer) { continue }
        forEachCandidate(of: giver) { ordinal, slot in
          let key = key(ordinal, giver)
          if best == nil || key < least { (best, least) = (slot, key) }
        }
      }
      if let best { return best }
    }
    return nil
  }

  /// One of a layer's unpinned slots whose expert (by ordinal) is wanted, each as likely as the
  /// others; nil, with no number drawn, where there is none.
  @inline(__always)
  func randomSlot(
    of layer: Int, using random: inout SeededGenerator, where isWanted: (_ ordinal: Int) -> Bool
  ) -> Int? {
    var count = 0
    forEachCandidate(of: layer) { ordinal, _ in
      if isWanted(ordinal) { count += 1 }
    }
    guard count > 0 else { return nil }
    var left = Int(random.next() % UInt64(count))
    var chosen: Int?
    forEachCandidate(of: layer) { ordinal, slot in
      guard isWanted(ordinal) else { return }
      if left == 0 { chosen = slot }
      left -= 1
    }
    return chosen
  }

  /// Whether any of a layer's experts with a slot is of a kind.
  @inline(__always)
  func holds(in layer: Int, where isWanted: (_ ordinal: Int) -> Bool) -> Bool {
    let first = geometry.ordinals(of: layer).lowerBound
    var isFound = false
    residents.forEach(in: layer) { if isWanted(first + $0) { isFound = true } }
    return isFound
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
