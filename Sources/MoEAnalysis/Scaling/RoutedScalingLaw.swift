#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// The loss of a language model with routed experts, by the parameters that one token uses and the
/// number of experts: "Unified Scaling Laws for Routed Language Models" (arXiv 2202.01169).
///
/// With N parameters and E experts, logarithms to base 10 and the loss L in nats,
///
///     log L = a log N + b log Ê + c log N log Ê + d
///     1/Ê = 1/(E - 1 + 1/(1/E_start - 1/E_max)) + 1/E_max
package struct RoutedScalingLaw: Sendable, Equatable {
  package let router: String
  package let a: Double
  package let b: Double
  package let c: Double
  package let d: Double
  package let expertCountStart: Double
  package let expertCountMax: Double
  /// From how many parameters on the paper finds no gain by routing; from its unrounded
  /// coefficients, so not what the rounded ones here give.
  package let parameterCutoff: Double

  /// The three routers of the paper, with its rounded coefficients.
  package static let published: [RoutedScalingLaw] = [.sBase, .rlR, .hash]
  /// Balanced assignment by Sinkhorn's algorithm, the nearest to today's routers.
  package static let sBase = RoutedScalingLaw(
    router: "S-BASE", a: -0.082, b: -0.108, c: 0.009, d: 1.104, expertCountStart: 1.847,
    expertCountMax: 314.478, parameterCutoff: 937e9)
  /// Trained by reinforcement.
  package static let rlR = RoutedScalingLaw(
    router: "RL-R", a: -0.083, b: -0.126, c: 0.012, d: 1.111, expertCountStart: 1.880,
    expertCountMax: 469.982, parameterCutoff: 85e9)
  /// By a fixed hash of the token.
  package static let hash = RoutedScalingLaw(
    router: "HASH", a: -0.087, b: -0.136, c: 0.012, d: 1.157, expertCountStart: 4.175,
    expertCountMax: 477.741, parameterCutoff: 83e9)

  /// Ê: the experts with the law's saturation at both ends; `expertCountStart` for a dense model.
  package func saturatedExpertCount(_ expertCount: Double) -> Double {
    let offset = 1 / (1 / expertCountStart - 1 / expertCountMax)
    return 1 / (1 / (max(expertCount, 1) - 1 + offset) + 1 / expertCountMax)
  }

  /// Validation loss in nats per token.
  package func loss(parameterCount: Double, expertCount: Double) -> Double {
    let size = log10(max(parameterCount, 1))
    let experts = log10(saturatedExpertCount(expertCount))
    return pow(10, a * size + b * experts + c * size * experts + d)
  }

  /// Parameters of the dense model that would reach the same loss: L(N̄, 1) = L(N, E).
  package func effectiveParameterCount(parameterCount: Double, expertCount: Double) -> Double {
    let size = log10(max(parameterCount, 1))
    let start = log10(expertCountStart)
    let experts = log10(saturatedExpertCount(expertCount))
    let slopeStart = a + c * start
    return pow(10, ((a + c * experts) * size + b * (experts - start)) / slopeStart)
  }
}
