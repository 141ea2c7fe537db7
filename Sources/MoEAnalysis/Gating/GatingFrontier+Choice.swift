extension GatingFrontier {
  /// Speeds that differ by less are taken for equal: machines are not steadier.
  package static let speedTolerance = 0.02

  /// Whether a point's perplexity is above the model's own, that of the first point, by at most a
  /// share of it.
  package static func isWithin(_ bound: Double, _ perplexity: Double, of own: Double) -> Bool {
    perplexity <= own * (1 + bound)
  }

  /// The fastest setting whose perplexity is at most `bound` (0.01: one per cent) above that of the
  /// first; of several equally fast the one with the lowest perplexity. Nil without points.
  package func fastest(within bound: Double) -> Point? {
    guard let own = points.first else { return nil }
    let allowed = points.filter { Self.isWithin(bound, $0.perplexity, of: own.perplexity) }
    // What is no number is within no bound; the model as it is then stays.
    guard let highest = allowed.map(\.tokensPerSecond).max() else { return own }
    return allowed.filter { $0.tokensPerSecond >= highest * (1 - Self.speedTolerance) }
      .min { $0.perplexity < $1.perplexity }
  }
}
