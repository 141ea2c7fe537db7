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
