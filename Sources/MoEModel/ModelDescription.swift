package import MoEKernels

/// What the decoder needs to know of a model: an architecture with the numbers of one file.
///
/// A value read by the one `Decoder`. A new architecture is a new way of filling this in; where it
/// needs a mechanism that no field expresses, the mechanism becomes a field first.
package struct ModelDescription: Sendable, Equatable {
  package var architecture: String
  package var layerCount: Int
  package var hiddenSize: Int
  package var vocabularySize: Int
  /// Positions that the model was trained for.
  package var contextLength: Int
  package var normEpsilon: Float
  package var attention: AttentionDescription
  package var router: RouterDescription
  /// Rows of one expert's gate and up projection.
  package var expertWidth: Int
}

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

/// Rotary position embedding (RoFormer, arXiv 2104.09864).
package struct RotaryDescription: Sendable, Equatable {
  package var base: Double
  /// How many leading elements of each head turn; even.
  package var dimension: Int
  package var pairing: RotaryPairing
}

/// How experts are chosen and weighed.
package struct RouterDescription: Sendable, Equatable {
  package var expertCount: Int
  package var expertsPerToken: Int
  /// Whether the chosen experts' softmax weights are divided by their sum.
  package var renormalizesWeights: Bool

  package init(expertCount: Int, expertsPerToken: Int, renormalizesWeights: Bool) {
    self.expertCount = expertCount
    self.expertsPerToken = expertsPerToken
    self.renormalizesWeights = renormalizesWeights
  }
}
