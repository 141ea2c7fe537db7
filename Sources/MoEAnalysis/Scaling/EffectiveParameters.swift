/// What dense model a model with routed experts is worth by a published law, for what that is
/// worth.
package struct EffectiveParameters: Sendable, Equatable {
  /// Parameters that one token uses: without embeddings, with the experts it takes.
  package let activeCount: Int
  /// Routed experts over experts per token: stands for the law's number of experts, each as large
  /// as all that a token takes.
  package let expertRatio: Double
  /// Parameters of the dense model of the same loss.
  package let count: Double
  package let law: RoutedScalingLaw

  /// In one sentence, for wherever the figure is shown.
  package static let limits =
    "Order of magnitude only: the law (arXiv 2202.01169, S-BASE) was fitted to one expert per "
    + "token in every second layer, at most 512 experts, 15 M to 1.3 B parameters and 130 B "
    + "training tokens, and knows nothing of how this model was trained."

  /// Nil where a token uses no experts or more than there are.
  package init?(
    activeCount: Int, expertCount: Int, expertsPerToken: Int, law: RoutedScalingLaw = .sBase
  ) {
    guard activeCount > 0, expertsPerToken > 0, expertCount >= expertsPerToken else { return nil }
    self.activeCount = activeCount
    expertRatio = Double(expertCount) / Double(expertsPerToken)
    self.law = law
    count = law.effectiveParameterCount(
      parameterCount: Double(activeCount), expertCount: expertRatio)
  }
}
