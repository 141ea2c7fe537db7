/// How much two sets of prompts use the same experts, as means over layers of what they share.
package struct PromptOverlap: Sendable, Equatable {
  /// Experts among the hottest of both over those among the hottest of either (Jaccard); the
  /// hottest of a set are the fewest that make up `hotShare` of its uses.
  package let hotExperts: Double
  /// The sum over experts of the lesser share of use: 1 where both use all experts alike, 0 where
  /// they have none in common.
  package let sharedUse: Double
  /// Cosine of the angle between the two lists of uses.
  package let cosine: Double

  package static let hotShare = 0.9

  /// Nil where the two are of models of another shape, or one has no token.
  package init?(
    _ first: ExpertUseCounts, _ second: ExpertUseCounts, hotShare: Double = PromptOverlap.hotShare
  ) {
    guard first.layerCount == second.layerCount, first.expertCount == second.expertCount,
      first.tokenCount > 0, second.tokenCount > 0
    else { return nil }
    var (hot, shared, cosine) = (0.0, 0.0, 0.0)
    for layer in 0..<first.layerCount {
      let (left, right) = (first.shares(layer: layer), second.shares(layer: layer))
      let hotLeft = Self.hottest(first, layer: layer, share: hotShare)
      let hotRight = Self.hottest(second, layer: layer, share: hotShare)
      let either = hotLeft.union(hotRight).count
      hot += either > 0 ? Double(hotLeft.intersection(hotRight).count) / Double(either) : 0
      shared += zip(left, right).reduce(0) { $0 + min($1.0, $1.1) }
      let product = zip(left, right).reduce(0) { $0 + $1.0 * $1.1 }
      let lengths = [left, right].map { $0.reduce(0) { $0 + $1 * $1 }.squareRoot() }
      let length = lengths[0] * lengths[1]
      cosine += length > 0 ? product / length : 0
    }
    let count = Double(first.layerCount)
    (hotExperts, sharedUse, self.cosine) = (hot / count, shared / count, cosine / count)
  }

  private static func hottest(_ uses: ExpertUseCounts, layer: Int, share: Double) -> Set<Int> {
    let counts = Array(uses.uses(layer: layer))
    let order = counts.indices.sorted { (counts[$1], $0) < (counts[$0], $1) }
    return Set(order.prefix(uses.expertsCovering(share, layer: layer)))
  }
}
