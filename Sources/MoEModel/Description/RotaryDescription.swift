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
  /// Where a file has what each pair's frequency is divided by.
  package var factors = RotaryFactors.none
  /// Factor on cosines and sines, and so its square on what a query's and a key's turned elements
  /// add to their product (YaRN, arXiv 2309.00071, section 3.4).
  package var attentionFactor = 1.0
  /// Factor on the whole product of a query and a key, which DeepSeek-V2 applies in place of the
  /// attention factor (arXiv 2405.04434, section 3.1.4).
  package var scoreFactor = 1.0

  package init(
    base: Double, dimension: Int, pairing: RotaryPairing, scaling: RotaryScaling = .none,
    factors: RotaryFactors = .none, attentionFactor: Double = 1, scoreFactor: Double = 1
  ) {
    self.base = base
    self.dimension = dimension
    self.pairing = pairing
    self.scaling = scaling
    self.factors = factors
    self.attentionFactor = attentionFactor
    self.scoreFactor = scoreFactor
  }
}

/// Where a file has factors that each pair's frequency is divided by (LongRoPE, arXiv 2402.13753,
/// section 3.2): one of each pair. A pair with a very large one does not turn.
package enum RotaryFactors: Sendable, Hashable {
  case none
  /// In a tensor of their own, where the file has it.
  case frequencies
  /// In two tensors, where the file has them: one for texts that may have at most as many positions
  /// as the model was first trained for, one for longer ones. A run takes either by the context
  /// that it is asked for, since what is kept of a text cannot change over.
  case byContext(originalLength: Int)
  case short, long

  /// Whether it is yet to be decided which of two tensors counts.
  var areByContext: Bool { if case .byContext = self { true } else { false } }

  /// The tensor that counts.
  var role: TensorRole? {
    switch self {
    case .none, .byContext: nil
    case .frequencies: .rotaryFactors
    case .short: .shortRotaryFactors
    case .long: .longRotaryFactors
    }
  }
}

extension TensorRole {
  package static let rotaryFactors = TensorRole(rawValue: "rotary factors")
  package static let shortRotaryFactors = TensorRole(rawValue: "rotary factors of short texts")
  package static let longRotaryFactors = TensorRole(rawValue: "rotary factors of long texts")
}

extension ModelDescription {
  /// The tensors of factors, for every embedding that takes some.
  func addRotaryFactors(to table: inout TensorTable) {
    func add(_ role: TensorRole, _ name: String, _ rotary: RotaryDescription) {
      if table.rows.contains(where: { $0.role == role }) { return }
      table.vector(role, name, count: rotary.dimension / 2, isOptional: true, isFactor: true)
    }
    for rotary in rotaries {
      switch rotary.factors {
      case .none: break
      case .frequencies: add(.rotaryFactors, "rope_freqs.weight", rotary)
      case .byContext, .short, .long:
        add(.shortRotaryFactors, "rope_factors_short.weight", rotary)
        add(.longRotaryFactors, "rope_factors_long.weight", rotary)
      }
    }
  }

  /// Decides for texts of up to so many positions what depends on it.
  package mutating func adapt(toContext length: Int) {
    for index in layers.indices {
      guard case .attention(var attention) = layers[index].mixer,
        case .byContext(let original) = attention.rotary?.factors
      else { continue }
      attention.rotary?.factors = length > original ? .long : .short
      layers[index].mixer = .attention(attention)
    }
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
