#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

import MoECore

/// Evicts the expert whose next use is estimated to be furthest away, as learnt from what the model
/// has selected so far (`ReusePredictor`), over all layers alike; while that does worse than LRU,
/// it is LRU (`RecencyGuard`).
///
/// It learns from each sequence by itself, so that tokens of several may come in any order; an
/// expert stays for whichever of them will want it first.
///
/// Layers are compared as of now: one that ran just now has its next turn after all others.
struct Learned: EvictionPolicy {
  private let geometry: CacheGeometry
  private var estimator: any ReuseEstimator
  /// (expert ordinal)
  private var estimates: [Float]
  private var recencyGuard: RecencyGuard
  /// (layer): its slot with the least estimate, pinned or not; -1 where that has to be looked for.
  private var leastSlots: [Int32]
  /// (layer): the least estimate, infinite without residents; less than any where it has to be
  /// looked for.
  private var leastEstimates: [Float]
  /// (layer, step): layers that may give to a layer, as `SlotTable.giver` has them, and what an
  /// estimate of theirs is worth then. Each layer's are as many as its class has.
  private var givers: [Int32] = []
  private var factors: [Float] = []
  /// (layer): its first giver, and one more entry for the end.
  private var giverStarts = [0]

  init(geometry: CacheGeometry, estimator: any ReuseEstimator) {
    self.geometry = geometry
    self.estimator = estimator
    recencyGuard = RecencyGuard(geometry: geometry)
    leastSlots = [Int32](repeating: -1, count: geometry.layers.count)
    leastEstimates = [Float](repeating: -.infinity, count: geometry.layers.count)
    estimates = [Float](repeating: 0, count: geometry.expertCount)
    listGivers()
  }

  private mutating func listGivers() {
    let turning = geometry.layers.indices.filter { geometry.layers[$0].expertCount > 0 }
    var places = [Int](repeating: -1, count: geometry.layers.count)
    for (place, layer) in turning.enumerated() { places[layer] = place }
    for (layer, shape) in geometry.layers.enumerated() {
      if shape.expertCount > 0 {
        let layers = geometry.layersByClass[shape.sizeClass]
        for step in layers.indices {
          let place = geometry.placesInClass[layer] - step
          let giver = layers[place >= 0 ? place : place + layers.count]
          let back = places[layer] - places[giver]
          let turns = Float(back >= 0 ? back : back + turning.count) / Float(turning.count)
          givers.append(Int32(giver))
          factors.append(powf(estimator.discount, -turns))
        }
      }
      giverStarts.append(givers.count)
    }
  }

  mutating func beginSequence(_ sequence: SequenceID) {
    estimator.beginSequence(sequence.rawValue)
  }

  mutating func endSequence(_ sequence: SequenceID) { estimator.endSequence(sequence.rawValue) }

  /// Learns from each token; from a sequence's last ones where there are very many.
  mutating func beginStep(_ step: borrowing LayerStep, in table: borrowing SlotTable) {
    recencyGuard.add(step, in: table)
    var start = 0
    for index in 0..<step.runCount {
      let run = step.run(index)
      for row in max(0, run.rowCount - SelectionHistory.tokenCount)..<run.rowCount {
        estimator.add(
          step.selection(ofToken: start + row), layer: step.layer, sequence: run.sequence.rawValue,
          time: max(0, run.time - run.rowCount + 1 + row))
      }
      start += run.rowCount
    }
    let first = geometry.ordinals(of: step.layer).lowerBound
    estimator.write(layer: step.layer, to: &estimates, from: first)
    forgetLeast(of: step.layer)
  }

  mutating func insert(_ slot: Int, for use: ExpertUse) {
    guard leastSlots[use.layer] >= 0 else { return forgetLeast(of: use.layer) }
    if estimates[use.ordinal] < leastEstimates[use.layer] {
      leastSlots[use.layer] = Int32(slot)
      leastEstimates[use.layer] = estimates[use.ordinal]
    }
  }

  mutating func touch(_ slot: Int, for use: ExpertUse) {}

  mutating func remove(_ slot: Int, of expert: ExpertID) {
    if leastSlots[expert.layer] == Int32(slot) { forgetLeast(of: expert.layer) }
  }

  private mutating func forgetLeast(of layer: Int) {
    leastSlots[layer] = -1
    leastEstimates[layer] = -.infinity
  }

  mutating func victim(for expert: ExpertID, in table: borrowing SlotTable) -> Int? {
    if !recencyGuard.isTrusting, let slot = recencyVictim(for: expert.layer, in: table) {
      return slot
    }
    return leastLikely(for: expert.layer, in: table, respectingFloors: true)
      ?? leastLikely(for: expert.layer, in: table, respectingFloors: false)
  }

  /// The slot with the least estimate as of now. Of even ones, that of the layer whose next turn is
  /// furthest away.
  private mutating func leastLikely(
    for layer: Int, in table: borrowing SlotTable, respectingFloors: Bool
  ) -> Int? {
    var best: Int?
    var bestWorth = Float.infinity
    for index in giverStarts[layer]..<giverStarts[layer + 1] {
      let (giver, factor) = (Int(givers[index]), factors[index])
      // Unpinned ones are worth no less.
      guard leastEstimates[giver] * factor < bestWorth else { continue }
      if respectingFloors && !table.mayGive(giver, to: layer) { continue }
      guard let (slot, estimate) = least(of: giver, in: table) else { continue }
      let worth = estimate * factor
      if worth < bestWorth { (best, bestWorth) = (slot, worth) }
    }
    return best
  }

  /// A layer's unpinned slot with the least estimate.
  private mutating func least(
    of layer: Int, in table: borrowing SlotTable
  ) -> (slot: Int, estimate: Float)? {
    if leastSlots[layer] >= 0, !table.isPinned(Int(leastSlots[layer])) {
      return (Int(leastSlots[layer]), leastEstimates[layer])
    }
    var (all, allEstimate) = (-1, Float.infinity)
    var (unpinned, unpinnedEstimate) = (-1, Float.infinity)
    let first = geometry.ordinals(of: layer).lowerBound
    table.residents.forEach(in: layer) { index in
      let estimate = estimates[first + index]
      guard estimate < unpinnedEstimate, let slot = table.slot(ofOrdinal: first + index) else {
        return
      }
      if estimate < allEstimate { (all, allEstimate) = (slot, estimate) }
      if !table.isPinned(slot) { (unpinned, unpinnedEstimate) = (slot, estimate) }
    }
    leastSlots[layer] = Int32(all)
    leastEstimates[layer] = allEstimate
    return unpinned < 0 ? nil : (unpinned, unpinnedEstimate)
  }

  /// What brings the pool closer to that of LRU in even shares: an expert of this layer, or of the
  /// first one above its share where this one is below its own, that LRU would not hold, and the
  /// least likely of these; where LRU would hold all, the least recently used. Nil where such a
  /// layer has nothing to give.
  private func recencyVictim(for layer: Int, in table: borrowing SlotTable) -> Int? {
    let isFull = table.residentCounts[layer] >= table.evenShares[layer]
    for step in 0..<table.classLayerCount(of: layer) {
      let giver = table.giver(step, to: layer)
      let isAbove = table.residentCounts[giver] > table.evenShares[giver]
      guard giver == layer ? isFull : isAbove && !isFull else { continue }
      guard table.mayGive(giver, to: layer) else { continue }
      if let slot = notHeld(of: giver, in: table) { return slot }
      var oldest: Int?
      recencyGuard.forEachHeld(of: giver) { ordinal in
        oldest = table.slot(ofOrdinal: ordinal).flatMap { table.isPinned($0) ? nil : $0 }
        return oldest == nil
      }
      if let oldest { return oldest }
    }
    return nil
  }

  private func notHeld(of layer: Int, in table: borrowing SlotTable) -> Int? {
    var (best, bestEstimate) = (-1, Float.infinity)
    table.forEachCandidate(of: layer) { ordinal, slot in
      let estimate = estimates[ordinal]
      guard estimate < bestEstimate, !recencyGuard.holds(ordinal) else { return }
      (best, bestEstimate) = (slot, estimate)
    }
    return best < 0 ? nil : best
  }
}
