import MoECore

/// Follower with Robust_f of "Caching with Few Predictions" (arXiv 2404.06280), f(i) = i.
///
/// For each layer: while its misses since the last restart are no more than those of the offline
/// optimum, it follows a predicted cache content P, asked for anew on every miss of an expert
/// outside P: it evicts what is not in P. Once it has missed more, it runs one robust phase, which
/// lasts until as many different experts have come as the layer has slots: marking, which asks for
/// P once in each window of the phase (`RobustWindows`). An expert that was not there when the
/// phase began then takes the place of an unmarked one outside P, every other that of any unmarked
/// one, at random.
///
/// Where the paper lets it evict any expert, the least recently used one goes. A layer's slots are
/// those of an even division.
struct Follower: EvictionPolicy {
  private struct LayerState {
    var isRobust = false
    var missCount = 0
    var optimum: PastOptimum
    var windows: RobustWindows
    /// Different experts that have come in the robust phase.
    var arrivalCount = 0
  }

  private let geometry: CacheGeometry
  private var predictor: any StatePredictor
  private var random: SeededGenerator
  private var states: [LayerState]
  /// (expert ordinal): whether P holds it.
  private var isPredicted: [Bool]
  /// (expert ordinal): whether it has come in the robust phase, and was there when that began.
  private var isMarked: [Bool]
  private var isOld: [Bool]
  /// (expert ordinal): number of its last use.
  private var lastUses: [Double]
  private var useCount = 0.0
  /// (layer)
  private var slotCounts: [Int]

  init(geometry: CacheGeometry, predictor: any StatePredictor, seed: UInt64 = 1) {
    self.geometry = geometry
    self.predictor = predictor
    random = SeededGenerator(seed: seed)
    slotCounts = geometry.floors(share: 1)
    states = zip(geometry.layers, slotCounts).map { layer, slotCount in
      LayerState(
        optimum: PastOptimum(expertCount: layer.expertCount, slotCount: slotCount),
        windows: RobustWindows(slotCount: slotCount))
    }
    isPredicted = [Bool](repeating: false, count: geometry.expertCount)
    isMarked = isPredicted
    isOld = isPredicted
    lastUses = [Double](repeating: 0, count: geometry.expertCount)
  }

  mutating func beginStep(_ step: borrowing LayerStep, in table: borrowing SlotTable) {
    predictor.note(step)
    let layer = step.layer
    for token in 0..<step.tokenCount {
      states[layer].optimum.add(step.selection(ofToken: token))
    }
    if !states[layer].isRobust && states[layer].missCount > states[layer].optimum.missCount {
      beginRobustPhase(of: layer, in: table)
    }
    for place in step.experts.indices where states[layer].isRobust && step.experts[place] >= 0 {
      arrive(step.experts[place], of: layer, in: table)
    }
  }

  mutating func resize(in table: borrowing SlotTable) {
    for layer in slotCounts.indices where slotCounts[layer] != table.evenShares[layer] {
      slotCounts[layer] = table.evenShares[layer]
      states[layer].optimum.resize(slotCount: slotCounts[layer])
      states[layer].windows = RobustWindows(slotCount: slotCounts[layer])
    }
  }

  private mutating func beginRobustPhase(of layer: Int, in table: borrowing SlotTable) {
    states[layer].isRobust = true
    states[layer].arrivalCount = 0
    for ordinal in geometry.ordinals(of: layer) {
      isMarked[ordinal] = false
      isOld[ordinal] = table.slot(ofOrdinal: ordinal) != nil
    }
  }

  /// An expert of the layer comes in a robust phase.
  private mutating func arrive(_ expert: Int, of layer: Int, in table: borrowing SlotTable) {
    let first = geometry.ordinals(of: layer).lowerBound
    guard !isMarked[first + expert] else { return }
    if states[layer].arrivalCount >= slotCounts[layer] {
      states[layer].isRobust = false
      states[layer].missCount = 0
      states[layer].optimum.restart { table.slot(ofOrdinal: first + $0) != nil }
      return
    }
    isMarked[first + expert] = true
    states[layer].arrivalCount += 1
    if states[layer].windows.begins(at: states[layer].arrivalCount) { query(layer) }
  }

  private mutating func query(_ layer: Int) {
    predictor.predict(
      layer: layer, slotCount: slotCounts[layer], into: &isPredicted,
      from: geometry.ordinals(of: layer).lowerBound)
  }

  mutating func insert(_ slot: Int, for use: ExpertUse) {
    states[use.layer].missCount += 1
    touch(slot, for: use)
  }

  mutating func adopt(_ slot: Int, for use: ExpertUse) { touch(slot, for: use) }

  mutating func touch(_ slot: Int, for use: ExpertUse) {
    useCount += 1
    lastUses[use.ordinal] = useCount
    predictor.note(use)
  }

  mutating func remove(_ slot: Int, of expert: ExpertID) {}

  mutating func victim(for expert: ExpertID, in table: borrowing SlotTable) -> Int? {
    let ordinal = geometry.ordinal(of: expert)
    if states[expert.layer].isRobust {
      let needsClean = !isOld[ordinal]
      return table.firstChoice(for: expert.layer) { giver in
        robustChoice(of: giver, needsClean: needsClean, in: table)
      }
    }
    if !isPredicted[ordinal] { query(expert.layer) }
    return table.leastSlot(for: expert.layer) { ordinal, _ in
      CandidateKey(first: isPredicted[ordinal] ? 1 : 0, second: lastUses[ordinal])
    }
  }

  private mutating func robustChoice(
    of layer: Int, needsClean: Bool, in table: borrowing SlotTable
  ) -> Int? {
    if needsClean,
      let slot = table.randomSlot(
        of: layer, using: &random, where: { !isMarked[$0] && !isPredicted[$0] })
    {
      return slot
    }
    return table.randomSlot(of: layer, using: &random) { !isMarked[$0] }
      ?? table.randomSlot(of: layer, using: &random) { _ in true }
  }
}

/// When a robust phase asks for predictions: at the arrivals of new experts numbered
/// S(i) = k - floor(k / 2^i) + 1 for i = 0 to log2 k, where k is the number of slots.
package struct RobustWindows: Sendable {
  /// Ascending.
  package let starts: [Int]

  package init(slotCount: Int) {
    var starts: [Int] = []
    var rest = slotCount
    while rest > 0 {
      starts.append(slotCount - rest + 1)
      rest /= 2
    }
    self.starts = starts
  }

  func begins(at arrival: Int) -> Bool { starts.contains(arrival) }
}
