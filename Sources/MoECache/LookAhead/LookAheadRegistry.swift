/// A way to guess a layer's experts that can be chosen by name.
package struct LookAheadEntry: Sendable {
  package enum Method: Sendable {
    /// Nothing is guessed and nothing read ahead.
    case none
    /// The layer's own router on the hidden state of the layer before.
    case router
    /// What the selections so far tell. Bytes that it takes, and how it is made.
    case predictor(
      byteCount: @Sendable (LookAheadShape) -> Int,
      make: @Sendable (LookAheadShape) -> any LookAheadPredictor)
  }

  package let name: String
  /// One line for `--help`.
  package let summary: String
  package let method: Method

  /// Memory that it takes besides what a run takes anyway.
  package func byteCount(_ shape: LookAheadShape) -> Int {
    if case .predictor(let byteCount, _) = method { byteCount(shape) } else { 0 }
  }
}

/// The ways to guess that there are.
package enum LookAheadRegistry {
  /// Every one; the suites `LookAheadConformanceTests` run over all of them.
  package static let all: [LookAheadEntry] = [
    LookAheadEntry(
      name: "router", summary: "The next layer's router on the hidden state one layer early.",
      method: .router),
    LookAheadEntry(
      name: "affinity", summary: "What tokens took that had taken the same in the layer before.",
      method: .predictor(
        byteCount: { AffinityPredictor.byteCount($0) }, make: { AffinityPredictor($0) })),
    LookAheadEntry(
      name: "activation-matrix", summary: "What this text and the most similar one before used.",
      method: .predictor(
        byteCount: { ActivationMatrixPredictor.byteCount($0) },
        make: { ActivationMatrixPredictor($0) })),
    off,
  ]

  package static let off = LookAheadEntry(
    name: "off", summary: "Nobody: all slots cache experts.", method: .none)

  /// What the engine uses where nothing is asked for.
  package static let defaultEntry = all[0]

  /// Nil where none has that name.
  package static func entry(named name: String) -> LookAheadEntry? {
    all.first { $0.name == name }
  }
}
