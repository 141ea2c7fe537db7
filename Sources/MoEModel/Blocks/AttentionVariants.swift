#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// RMS norms on queries and keys.
package enum QueryKeyNorm: Sendable, Equatable {
  case none
  /// One norm over all heads together (OLMoE, arXiv 2409.02060).
  case wholeProjection
  /// Each head by itself, with shared weights (Qwen3, arXiv 2505.09388).
  case perHead
  /// Each head by itself, without weights (Llama 4).
  case perHeadWithoutWeight
}

/// Where values come from.
package enum ValueSource: Sendable, Equatable {
  case projection
  /// What the key projection gives, before the keys' norm (Gemma 4).
  case keyProjection
}

/// Queries grow with their position, so that attention over a long past stays as sharp as over a
/// short one (arXiv 2501.19399): at position p by 1 + slope · log(1 + ⌊(p + 1) / step⌋).
package struct AttentionTemperature: Sendable, Equatable {
  package var step: Int
  package var slope: Float

  func factor(position: Int) -> Float { 1 + slope * log(Float(1 + (position + 1) / step)) }
}
