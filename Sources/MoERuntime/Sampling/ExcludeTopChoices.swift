import MoECore

/// XTC ("exclude top choices"): now and then drops all tokens above a probability but the least
/// probable of them, which takes texts off the beaten track.
package struct ExcludeTopChoices: SamplerStage {
  private let probability: Float
  private let threshold: Float

  /// From this threshold on two tokens cannot both be above it.
  private static let thresholdMax: Float = 0.5

  package static func make(_ options: SamplingOptions) -> (any SamplerStage)? {
    options.xtcProbability > 0 && options.xtcThreshold <= thresholdMax
      ? ExcludeTopChoices(
        probability: options.xtcProbability, threshold: options.xtcThreshold) : nil
  }

  package func apply(to candidates: inout Candidates, step: SamplerStep) {
    // Drawn in every step, so that the numbers after it do not depend on the candidates.
    guard step.random.nextUnit() < Double(probability), candidates.largest.isFinite else { return }
    candidates.keepLargest(candidates.count)
    let above = candidates.probabilities().prefix { $0 >= Double(threshold) }.count
    guard above >= 2 else { return }
    candidates.keep(at: Array(above - 1..<candidates.count))
  }
}
