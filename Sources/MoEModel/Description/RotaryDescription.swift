#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif
package import MoEKernels

/// Rotary position embedding (RoFormer, arXiv 2104.09864), and how it is stretched over texts that
/// are longer than those a model was first trained on. Layers may differ in it.
package struct RotaryDescription: Sendable, Hashable {
  package var base: Double
  /// How many leading elements of each head turn; even.
  package var dimension: Int
  package var pairing: RotaryPairing
  package var scaling = RotaryScaling.none
  /// (pair): what each pair's frequency is divided by (LongRoPE, arXiv 2402.13753, section 3.2);
  /// empty where each is 1. A pair with a very large one does not turn.
  package var frequencyFactors: [Float] = []
  /// Factor on cosines and sines, and so its square on what a query's and a key's turned elements
  /// add to their product (YaRN, arXiv 2309.00071, section 3.4).
  package var attentionFactor = 1.0
  /// Factor on the whole product of a query and a key, which DeepSeek-V2 applies in place of the
  /// attention factor (arXiv 2405.04434, section 3.1.4).
  package var scoreFactor = 1.0

  package init(
    base: Double, dimension: Int, pairing: RotaryPairing, scaling: RotaryScaling = .none,
    frequencyFactors: [Float] = [], attentionFactor: Double = 1, scoreFactor: Double = 1
  ) {
    self.base = base
    self.dimension = dimension
    self.pairing = pairing
    self.scaling = scaling
    self.frequencyFactors = frequencyFactors
    self.attentionFactor = attentionFactor
    self.scoreFactor = scoreFactor
  }
}

/// How the frequencies of a rotary embedding are changed for longer texts.
package enum RotaryScaling: Sendable, Hashable {
  case none
  /// All frequencies are divided by the factor (position interpolation, arXiv 2306.15595).
  case linear(factor: Double)
  case yarn(YaRNScaling)
}

/// Low frequencies are divided by the factor, high ones stay, those between are mixed
/// ("NTK-by-parts", YaRN, arXiv 2309.00071, section 3.2).
package struct YaRNScaling: Sendable, Hashable {
  package var factor: Double
  /// Positions that the model was trained for before it was stretched.
  package var originalContextLength: Int
  /// A pair that turns at least so often in the original context stays as it is; the paper's β.
  package var betaFast: Double
  /// A pair that turns at most so often is divided by the factor; the paper's α.
  package var betaSlow: Double
  /// Whether the range of pairs between the two is widened to whole numbers, as most published
  /// models have it.
  package var truncatesCorrectionRange: Bool

  package init(
    factor: Double, originalContextLength: Int, betaFast: Double = 32, betaSlow: Double = 1,
    truncatesCorrectionRange: Bool = true
  ) {
    self.factor = factor
    self.originalContextLength = originalContextLength
    self.betaFast = betaFast
    self.betaSlow = betaSlow
    self.truncatesCorrectionRange = truncatesCorrectionRange
  }

  /// The attention factor that belongs to it where a model publishes no other (section 3.4).
  package var attentionFactor: Double { factor > 1 ? 0.1 * log(factor) + 1 : 1 }

  /// (pair): how much of a pair's own frequency stays, 1 for all of it.
  func keptShares(base: Double, dimension: Int) -> [Double] {
    // The pair, as a fraction, that turns so often in the original context.
    func pair(turning count: Double) -> Double {
      Double(dimension) * log(Double(originalContextLength) / (count * 2 * .pi)) / (2 * log(base))
    }
    var (low, high) = (pair(turning: betaFast), pair(turning: betaSlow))
    if truncatesCorrectionRange {
      low.round(.down)
      high.round(.up)
    }
    low = max(low, 0)
    high = min(high, Double(dimension - 1))
    if low == high { high += 0.001 }
    return (0..<dimension / 2).map { 1 - min(max((Double($0) - low) / (high - low), 0), 1) }
  }
}
