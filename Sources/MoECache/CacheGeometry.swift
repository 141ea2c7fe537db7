package import MoECore

/// One block of the model, as the expert cache sees it.
package struct LayerGeometry: Hashable, Sendable {
  /// Routed experts of the block; 0 for a dense block, which the cache then never hears of again.
  package var expertCount: Int
  /// Which of the cache's slot sizes this block's experts need.
  package var sizeClass: Int

  package init(expertCount: Int, sizeClass: Int) {
    self.expertCount = expertCount
    self.sizeClass = sizeClass
  }
}

/// How many experts there are, how many slots, and which experts fit which slots.
///
/// Layers are numbered as blocks of the model. A size class is a set of layers whose experts take
/// slots of one size. Slots are numbered from 0 through all classes, so each class owns one range.
package struct CacheGeometry: Sendable {
  package let layers: [LayerGeometry]
  /// The slots of each size class; disjoint, ascending, together `0..<slotCount`.
  package let slotRanges: [Range<Int>]
  /// Layers with experts, ascending: those that a routing trace has.
  package let expertLayers: [Int]
  /// Layers with experts, ascending, by size class.
  package let layersByClass: [[Int]]
  /// By layer, its place in its class's list of layers; -1 for dense blocks.
  let placesInClass: [Int]
  /// Sequences that there are at a time at most; policies have room for what they learn of each.
  package let sequenceCountMax: Int
  /// `firstOrdinals[layer]` numbers the experts through all layers; the last entry is their count.
  let firstOrdinals: [Int]

  /// `slotCounts` has one entry per size class; every class that a layer names must be there.
  package init(layers: [LayerGeometry], slotCounts: [Int], sequenceCountMax: Int = 1) {
    precondition(sequenceCountMax > 0)
    precondition(layers.allSatisfy { $0.expertCount >= 0 } && slotCounts.allSatisfy { $0 >= 0 })
    self.layers = layers
    expertLayers = layers.indices.filter { layers[$0].expertCount > 0 }
    self.sequenceCountMax = sequenceCountMax
    var firstOrdinals = [0]
    var layersByClass = [[Int]](repeating: [], count: slotCounts.count)
    var places = [Int](repeating: -1, count: layers.count)
    for (index, layer) in layers.enumerated() {
      firstOrdinals.append(firstOrdinals[index] + layer.expertCount)
      if layer.expertCount > 0 {
        places[index] = layersByClass[layer.sizeClass].count
        layersByClass[layer.sizeClass].append(index)
      }
    }
    placesInClass = places
    self.firstOrdinals = firstOrdinals
    self.layersByClass = layersByClass
    var ranges: [Range<Int>] = []
    for count in slotCounts {
      let first = ranges.last?.upperBound ?? 0
      ranges.append(first..<first + count)
    }
    slotRanges = ranges
  }

  package var slotCount: Int { slotRanges.last?.upperBound ?? 0 }
  package var expertCount: Int { firstOrdinals[layers.count] }

  /// The numbers of a layer's experts among the experts of all layers.
  package func ordinals(of layer: Int) -> Range<Int> {
    firstOrdinals[layer]..<firstOrdinals[layer + 1]
  }

  func sizeClass(ofSlot slot: Int) -> Int {
    guard let sizeClass = slotRanges.firstIndex(where: { $0.contains(slot) }) else {
      preconditionFailure("slot \(slot) of \(slotCount)")
    }
    return sizeClass
  }

  /// The number of an expert among the experts of all layers.
  package func ordinal(of expert: ExpertID) -> Int {
    precondition(expert.index >= 0 && expert.index < layers[expert.layer].expertCount)
    return firstOrdinals[expert.layer] + expert.index
  }

  /// The residents that each layer keeps while other layers evict: `share` of an even division of
  /// its class's slots, and never more than the layer has experts.
  ///
  /// Rounded so that together they are the share of all slots: where the division leaves a rest,
  /// the first layers have one more. A slot that belonged to no layer would go round among all of
  /// them, taken by each layer's misses from what the layer before has just read.
  ///
  /// - Parameter withdrawnCounts: By class, slots that are out of use; none by default.
  package func floors(share: Double, withdrawnCounts: [Int] = []) -> [Int] {
    precondition(share >= 0 && share <= 1)
    return layers.indices.map { index in
      let layer = layers[index]
      guard layer.expertCount > 0 else { return 0 }
      let withdrawnCount = withdrawnCounts.isEmpty ? 0 : withdrawnCounts[layer.sizeClass]
      let inUse = slotRanges[layer.sizeClass].count - withdrawnCount
      let slotCount = Int(Double(inUse) * share)
      let layerCount = layersByClass[layer.sizeClass].count
      let extra = placesInClass[index] < slotCount % layerCount ? 1 : 0
      return min(slotCount / layerCount + extra, layer.expertCount)
    }
  }
}
