/// Keeps logits at most n standard deviations below the largest (arXiv 2411.07641): what stands out
/// from the noise, whatever the temperature.
package struct TopNSigma: SamplerStage {
  private let deviationCount: Float

  package static func make(_ options: SamplingOptions) -> (any SamplerStage)? {
    options.topNSigma > 0 ? TopNSigma(deviationCount: options.topNSigma) : nil
  }

  package func apply(to candidates: inout Candidates, step: SamplerStep) {
    let finite = candidates.logits[..<candidates.count].filter(\.isFinite).map(Double.init)
    guard finite.count > 1, candidates.largest.isFinite else { return }
    let mean = finite.reduce(0, +) / Double(finite.count)
    let variance = finite.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(finite.count)
    candidates.keep(
      atLeast: candidates.largest - deviationCount * Float(variance.squareRoot()))
  }
}
