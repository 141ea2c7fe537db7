package import MoEModel

/// How much the tokens of a text use the routed experts of one layer.
package struct ExpertUses: Sendable, Equatable {
  /// (expert): how often each was chosen, and the sum of the weights that it was given: the hard
  /// and the soft counts of "Faster MoE LLM inference for extremely large models"
  /// (arXiv 2505.03531).
  package private(set) var hard: [Double]
  package private(set) var soft: [Double]

  package init(expertCount: Int) {
    hard = Array(repeating: 0, count: expertCount)
    soft = hard
  }

  /// - Parameter counts: Whether a row of the selection counts.
  mutating func add(_ selection: Selection, counts: (_ row: Int) -> Bool) {
    for row in 0..<selection.tokenCount where counts(row) {
      for rank in 0..<selection.count(token: row) {
        let expert = selection.expert(token: row, rank: rank)
        hard[expert] += 1
        soft[expert] += Double(selection.weight(token: row, rank: rank))
      }
    }
  }
}
