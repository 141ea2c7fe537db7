/// Which experts of each layer stay, where others are left out before inference ("Faster MoE LLM
/// inference for extremely large models", arXiv 2505.03531).
package struct ExpertPruning: Sendable, Equatable {
  /// By layer: the numbers of the experts that stay, ascending; layers that are not named keep all.
  package var kept: [Int: [Int]] = [:]

  package init() {}

  /// The experts that calibration text uses most.
  ///
  /// - Parameters:
  ///   - counts: By layer, (expert): how often each was chosen (hard counts), or the sum of the
  ///     weights that rows gave it (soft counts, which keep more of a model).
  ///   - keptCount: How many stay in a layer.
  package init(counts: [Int: [Double]], keptCount: (_ layer: Int) -> Int) {
    for (layer, counts) in counts {
      kept[layer] = Self.mostUsed(counts, count: keptCount(layer))
    }
  }

  /// Numbers of the largest counts, ascending; of equal ones the lower number comes first, and what
  /// is no number counts as nothing.
  package static func mostUsed(_ counts: [Double], count: Int) -> [Int] {
    let usable = counts.map { $0.isFinite ? $0 : 0 }
    let order = usable.indices.sorted { first, second in
      usable[first] != usable[second] ? usable[first] > usable[second] : first < second
    }
    return order.prefix(max(0, count)).sorted()
  }
}

/// Why experts cannot be left out.
package enum PruningError: Error, Equatable, CustomStringConvertible {
  case noExperts(layer: Int)
  /// Numbers that are not ascending, or not those of experts.
  case noSuchExperts(layer: Int, expertCount: Int)
  /// Fewer than a token takes.
  case tooFew(layer: Int, kept: Int, used: Int)
  /// A router that chooses among groups.
  case groups(layer: Int)

  package var description: String {
    switch self {
    case .noExperts(let layer):
      "layer \(layer) has no routed experts to leave out; leave it as it is"
    case .noSuchExperts(let layer, let expertCount):
      "layer \(layer) has the experts 0 to \(expertCount - 1); give each that stays once, ascending"
    case .tooFew(let layer, let kept, let used):
      "layer \(layer) would keep \(kept) experts, but every token takes \(used); keep at least "
        + "as many"
    case .groups(let layer):
      "the router of layer \(layer) chooses among groups of experts, which would not be equal any "
        + "more; keep all of them"
    }
  }
}
