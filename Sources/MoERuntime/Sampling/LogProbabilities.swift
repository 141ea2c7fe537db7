import MoECore
import MoEKernels

/// How probable tokens were: logarithms of the model's own probabilities, before any sampler.
struct LogProbabilities {
  /// The most probable tokens, best first.
  let alternatives: [TokenProbability]
  private let logSum: Double
  /// As they were: callers may change them.
  private let logits: [Float]

  init(_ logits: FloatView, alternativeCount: Int) {
    let logSum = VectorMath.logSumExp(logits)
    self.logSum = logSum
    self.logits = logits.array()
    var best: [(token: Int, logit: Float)] = []
    for token in 0..<(alternativeCount > 0 ? logits.count : 0) {
      let logit = logits[token]
      if best.count == alternativeCount, logit <= best[best.count - 1].logit { continue }
      // Of equals the smaller id comes first.
      let place = best.firstIndex { $0.logit < logit } ?? best.count
      best.insert((token, logit), at: place)
      if best.count > alternativeCount { best.removeLast() }
    }
    alternatives = best.map {
      TokenProbability(id: Int32($0.token), logProbability: min(0, Double($0.logit) - logSum))
    }
  }

  func value(of token: Int32) -> Double { min(0, Double(logits[Int(token)]) - logSum) }
}

/// A token that might have come, and how probable it was.
public struct TokenProbability: Sendable, Equatable {
  public var id: Int32
  /// The natural logarithm of its probability, at most 0.
  public var logProbability: Double

  public init(id: Int32, logProbability: Double) {
    self.id = id
    self.logProbability = logProbability
  }
}
