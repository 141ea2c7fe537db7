/// A way to guess a layer's experts that can be chosen by name.
package struct PredictorEntry: Sendable {
  package enum Method: Sendable {
    /// Nothing is guessed and nothing read ahead.
    case none
    /// The layer's own router on the hidden state of the layer before.
    case router
    /// What the selections so far tell. Bytes that it takes, and how it is made.
    case predictor(
      byteCount: @Sendable (PredictorShape) -> Int,
      make: @Sendable (PredictorShape) -> any ExpertPredictor)
  }

  package let name: String
  /// One line for `--help`.
  package let summary: String
  package let method: Method

  /// Memory that it takes besides what a run takes anyway.
  package func byteCount(_ shape: PredictorShape) -> Int {
    if case .predictor(let byteCount, _) = method { byteCount(shape) } else { 0 }
  }
}

/// The ways to guess that there are.
package enum PredictorRegistry {
  /// Every one; the suites `PredictorConformanceTests` run over all of them.
  package static let all: [PredictorEntry] = [
    PredictorEntry(
      name: "router", summary: "The next layer's router on the hidden state one layer early.",
      method: .router),
    PredictorEntry(
      name: "affinity", summary: "What tokens took that had taken the same in the layer before.",
      method: .predictor(
        byteCount: { AffinityPredictor.byteCount($0) }, make: { AffinityPredictor($0) })),
    PredictorEntry(
      name: "activation-matrix", summary: "What this text and the most similar one before used.",
      method: .predictor(
        byteCount: { ActivationMatrixPredictor.byteCount($0) },
        make: { ActivationMatrixPredictor($0) })),
    off,
  ]

  package static let off = PredictorEntry(
    name: "off", summary: "Nobody: all slots cache experts.", method: .none)

  /// What the engine uses where nothing is asked for.
  package static let defaultEntry = all[0]

  /// Nil where none has that name.
  package static func entry(named name: String) -> PredictorEntry? {
    all.first { $0.name == name }
  }
}
