#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Mirostat 2.0 (arXiv 2007.14966, algorithm 2): drops tokens that would surprise more than a bound
/// which follows what was drawn, so that texts have about the same surprise throughout.
package struct Mirostat: SamplerStage {
  /// The surprise that is aimed at, in bits, and how fast the bound follows.
  private let target: Float
  private let rate: Float
  private var bound: Double

  package static func make(_ options: SamplingOptions) -> (any SamplerStage)? {
    options.mirostat ? Mirostat(options) : nil
  }

  private init(_ options: SamplingOptions) {
    target = options.mirostatTarget
    rate = options.mirostatRate
    bound = 2 * Double(options.mirostatTarget)
  }

  package func apply(to candidates: inout Candidates, step: SamplerStep) {
    guard candidates.largest.isFinite else { return }
    candidates.keepLargest(candidates.count)
    let kept = candidates.probabilities().prefix { -log2($0) <= bound }.count
    candidates.truncate(to: max(kept, 1))
  }

  package mutating func didDraw(probability: Double) {
    bound -= Double(rate) * (-log2(probability) - Double(target))
  }
}
