package struct AttentionDescription: Sendable, Equatable {
  package var headCount: Int
  /// Divides `headCount`: query heads share key and value heads in groups (GQA, arXiv 2305.13245).
  package var keyValueHeadCount: Int
  package var headDimension: Int
  package var queryKeyNorm: QueryKeyNorm
  package var rotary: RotaryDescription

  package var queryWidth: Int { headCount * headDimension }
  package var keyValueWidth: Int { keyValueHeadCount * headDimension }
  /// Factor on the dot products before the softmax.
  package var scale: Float { 1 / Float(headDimension).squareRoot() }
}

/// RMS norms on queries and keys before the rotary embedding.
package enum QueryKeyNorm: Sendable, Equatable {
  /// One norm over all heads together (OLMoE, arXiv 2409.02060).
  case wholeProjection
  /// Each head by itself, with shared weights (Qwen3, arXiv 2505.09388).
  case perHead
}
