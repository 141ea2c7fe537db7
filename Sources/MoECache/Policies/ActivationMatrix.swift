import MoECore

/// The cache priority of MoE-Infinity (arXiv 2401.14361): what share of a layer's uses in this
/// sequence went to the expert, times a weight that falls from 1 at the first layer towards 0 at
/// the last, among those with experts. The least goes.
///
/// The uses of a sequence are the paper's expert activation matrix. Where there are several
/// sequences at a time, their shares are added. Experts without a use in any are ordered by the
/// matrix of the sequence that ended last, which counts next to nothing beside a use.
struct ActivationMatrix: EvictionPolicy {
  /// Makes experts of later layers go first where nobody was used.
  private static let epsilon = 1e-4

  private let geometry: CacheGeometry
  /// (sequence, expert ordinal): uses.
  private var counts: [Double]
  /// (sequence, layer): sums of them.
  private var sums: [Double]
  /// (expert ordinal), and (layer): of the sequence that ended last.
  private var earlierCounts: [Double]
  private var earlierSums: [Double]
  /// (sequence, expert ordinal): rows of the layer's step that take the expert.
  private var rowCounts: [Int32]
  /// (layer): the sequence with the most rows in the layer's step.
  private var longest: [Int]
  /// (layer): weight of its experts.
  private let weights: [Double]

  init(geometry: CacheGeometry) {
    self.geometry = geometry
    let (expertCount, layerCount) = (geometry.expertCount, geometry.layers.count)
    counts = [Double](repeating: 0, count: expertCount * geometry.sequenceCountMax)
    sums = [Double](repeating: 0, count: layerCount * geometry.sequenceCountMax)
    earlierCounts = [Double](repeating: 0, count: expertCount)
    earlierSums = [Double](repeating: 0, count: layerCount)
    rowCounts = [Int32](repeating: 0, count: expertCount * geometry.sequenceCountMax)
    longest = [Int](repeating: 0, count: layerCount)
    var weights = [Double](repeating: 0, count: layerCount)
    for (place, layer) in geometry.expertLayers.enumerated() {
      weights[layer] = 1 - Double(place) / Double(geometry.expertLayers.count)
    }
    self.weights = weights
  }

  /// What further sequences than the first take.
  static func byteCount(_ geometry: CacheGeometry) -> Int {
    (geometry.sequenceCountMax - 1) * (12 * geometry.expertCount + 8 * geometry.layers.count)
  }

  mutating func beginSequence(_ sequence: SequenceID) { forget(sequence.rawValue) }

  mutating func endSequence(_ sequence: SequenceID) {
    let own = sequence.rawValue
    for ordinal in earlierCounts.indices {
      earlierCounts[ordinal] = counts[own * earlierCounts.count + ordinal]
    }
    for layer in earlierSums.indices {
      earlierSums[layer] = sums[own * earlierSums.count + layer]
    }
    forget(own)
  }

  private mutating func forget(_ sequence: Int) {
    let (expertCount, layerCount) = (geometry.expertCount, geometry.layers.count)
    for index in sequence * expertCount..<(sequence + 1) * expertCount { counts[index] = 0 }
    for index in sequence * layerCount..<(sequence + 1) * layerCount { sums[index] = 0 }
  }

  /// Notes which rows the uses to come are of.
  mutating func beginStep(_ step: borrowing LayerStep, in table: borrowing SlotTable) {
    let ordinals = geometry.ordinals(of: step.layer)
    for sequence in 0..<geometry.sequenceCountMax {
      let first = sequence * geometry.expertCount
      for ordinal in ordinals { rowCounts[first + ordinal] = 0 }
    }
    var (place, most) = (0, 0)
    for index in 0..<step.runCount {
      let run = step.run(index)
      let first = run.sequence.rawValue * geometry.expertCount + ordinals.lowerBound
      if run.rowCount > most { (longest[step.layer], most) = (run.sequence.rawValue, run.rowCount) }
      for _ in 0..<run.rowCount * step.expertsPerToken {
        if step.experts[place] >= 0 { rowCounts[first + step.experts[place]] += 1 }
        place += 1
      }
    }
  }

  /// Rows of a long chunk that the step did not name are its longest sequence's.
  mutating func insert(_ slot: Int, for use: ExpertUse) {
    var rest = use.tokenCount
    if geometry.sequenceCountMax > 1 {
      for sequence in 0..<geometry.sequenceCountMax where rest > 0 {
        let rowCount = rowCounts[sequence * geometry.expertCount + use.ordinal]
        if rowCount > 0 {
          add(min(rest, Int(rowCount)), of: sequence, for: use)
          rest -= min(rest, Int(rowCount))
        }
      }
    }
    if rest > 0 { add(rest, of: longest[use.layer], for: use) }
  }

  private mutating func add(_ count: Int, of sequence: Int, for use: ExpertUse) {
    counts[sequence * geometry.expertCount + use.ordinal] += Double(count)
    sums[sequence * geometry.layers.count + use.layer] += Double(count)
  }

  mutating func touch(_ slot: Int, for use: ExpertUse) { insert(slot, for: use) }

  mutating func remove(_ slot: Int, of expert: ExpertID) {}

  mutating func victim(for expert: ExpertID, in table: borrowing SlotTable) -> Int? {
    table.leastSlot(for: expert.layer) { ordinal, layer in
      var share = 0.0
      for sequence in 0..<geometry.sequenceCountMax {
        let count = counts[sequence * geometry.expertCount + ordinal]
        share += count / max(1, sums[sequence * geometry.layers.count + layer])
      }
      let earlierShare = earlierCounts[ordinal] / max(1, earlierSums[layer])
      return CandidateKey(
        first: (share + Self.epsilon * (1 + earlierShare)) * weights[layer])
    }
  }
}
