/// How experts are chosen and weighed.
package struct RouterDescription: Sendable, Equatable {
  package var expertCount: Int
  package var expertsPerToken: Int
  /// Whether the chosen experts' softmax weights are divided by their sum.
  package var renormalizesWeights: Bool

  package init(expertCount: Int, expertsPerToken: Int, renormalizesWeights: Bool) {
    self.expertCount = expertCount
    self.expertsPerToken = expertsPerToken
    self.renormalizesWeights = renormalizesWeights
  }
}
