package import MoECore
package import MoEKernels

/// Sees what passes through a decoder, for tests and routing traces. Views are valid during the
/// call only; an observer must not slow the pass down by more than it can afford.
package protocol DecoderObserver: AnyObject {
  /// A pass begins: its tokens, the first of which is at `position` of the sequence.
  func didBegin(_ tokens: IndexView, position: Int, phase: InferencePhase)
  /// The input of layer 0: (token, hiddenSize).
  func didEmbed(_ hidden: FloatRows)
  /// Raw router logits of a layer, (token, expertCount), and what was chosen from them.
  func didRoute(layer: Int, position: Int, logits: FloatRows, selection: Selection)
  /// The output of a layer, residual included: (token, hiddenSize).
  func didFinish(layer: Int, _ hidden: FloatRows)
  /// Rows after the final norm: (row, hiddenSize).
  func didNormalize(_ rows: FloatRows)
}

extension DecoderObserver {
  package func didBegin(_ tokens: IndexView, position: Int, phase: InferencePhase) {}
}
