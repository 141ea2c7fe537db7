import MoECore

/// The cache priority of MoE-Infinity (arXiv 2401.14361): what share of a layer's uses in this
/// sequence went to the expert, times a weight that falls from 1 at the first layer towards 0 at
/// the last. The least goes.
///
/// The uses of a sequence are the paper's expert activation matrix. Experts without a use in it are
/// ordered by the matrix of the sequence before, which counts next to nothing beside a use.
struct ActivationMatrix: EvictionPolicy {
  /// Makes experts of later layers go first where nobody was used.
  private static let epsilon = 1e-4

  private let geometry: CacheGeometry
  /// (expert ordinal): uses in this sequence, and in the one before.
  private var counts: [Double]
  private var earlierCounts: [Double]
  /// (layer): sums of them.
  private var sums: [Double]
  private var earlierSums: [Double]
  /// (layer): weight of its experts.
  private let weights: [Double]

  init(geometry: CacheGeometry) {
    self.geometry = geometry
    counts = [Double](repeating: 0, count: geometry.expertCount)
    earlierCounts = counts
    sums = [Double](repeating: 0, count: geometry.layers.count)
    earlierSums = sums
    let layerCount = Double(geometry.layers.count)
    weights = geometry.layers.indices.map { 1 - Double($0) / layerCount }
  }

  mutating func beginSequence() {
    for ordinal in counts.indices {
      earlierCounts[ordinal] = counts[ordinal]
      counts[ordinal] = 0
    }
    for layer in sums.indices {
      earlierSums[layer] = sums[layer]
      sums[layer] = 0
    }
  }

  mutating func beginStep(_ step: borrowing LayerStep, in table: borrowing SlotTable) {}

  mutating func insert(_ slot: Int, for use: ExpertUse) {
    counts[use.ordinal] += Double(use.tokenCount)
    sums[use.layer] += Double(use.tokenCount)
  }

  mutating func touch(_ slot: Int, for use: ExpertUse) { insert(slot, for: use) }

  mutating func remove(_ slot: Int, of expert: ExpertID) {}

  mutating func victim(for expert: ExpertID, in table: borrowing SlotTable) -> Int? {
    table.leastSlot(for: expert.layer) { ordinal, layer in
      let share = counts[ordinal] / max(1, sums[layer])
      let earlierShare = earlierCounts[ordinal] / max(1, earlierSums[layer])
      return CandidateKey(
        first: (share + Self.epsilon * (1 + earlierShare)) * weights[layer])
    }
  }
}
