import MoECore

/// Expert Buffering of "Towards MoE Deployment" (arXiv 2303.06182, section 5): an expert that the
/// step does not use goes first, then the one that came in last.
///
/// Experts of a step run in ascending order, so of those it uses the last one in is needed latest
/// in the next step. The paper leaves open which of the others goes; here it is the last one in,
/// too.
struct LIFO: EvictionPolicy {
  /// (expert ordinal): number of its insertion, counted from 1.
  private var insertions: [Double]
  private var insertionCount = 0.0
  /// (expert ordinal): number of the last step of its layer that used it; -1 before the first, so
  /// that a layer without a step uses none.
  private var lastSteps: [Int]
  /// (layer): steps so far.
  private var stepCounts: [Int]
  private let geometry: CacheGeometry

  init(geometry: CacheGeometry) {
    self.geometry = geometry
    insertions = [Double](repeating: 0, count: geometry.expertCount)
    lastSteps = [Int](repeating: -1, count: geometry.expertCount)
    stepCounts = [Int](repeating: 0, count: geometry.layers.count)
  }

  mutating func beginStep(_ step: borrowing LayerStep, in table: borrowing SlotTable) {
    stepCounts[step.layer] += 1
    let first = geometry.ordinals(of: step.layer).lowerBound
    for index in step.experts.indices where step.experts[index] >= 0 {
      lastSteps[first + step.experts[index]] = stepCounts[step.layer]
    }
  }

  mutating func insert(_ slot: Int, for use: ExpertUse) {
    insertionCount += 1
    insertions[use.ordinal] = insertionCount
  }

  mutating func touch(_ slot: Int, for use: ExpertUse) {}

  mutating func remove(_ slot: Int, of expert: ExpertID) {}

  mutating func victim(for expert: ExpertID, in table: borrowing SlotTable) -> Int? {
    table.leastSlot(for: expert.layer) { ordinal, layer in
      let isActive = layer == expert.layer && lastSteps[ordinal] == stepCounts[layer]
      return CandidateKey(first: isActive ? 1 : 0, second: -insertions[ordinal])
    }
  }
}
