package import MoECore
package import MoEKernels

/// Sees what passes through a decoder, for tests and routing traces. Views are valid during the
/// call only; an observer must not slow the step down by more than it can afford.
package protocol DecoderObserver: AnyObject {
  /// A step begins: the tokens of its rows, and which rows belong to which sequence.
  func didBegin(_ tokens: IndexView, _ sequences: [SequenceRows])
  /// The input of layer 0: (row, hiddenSize).
  func didEmbed(_ hidden: FloatRows)
  /// The rows that a layer's routed experts read, some of the step's, the first of which is row
  /// `start`: (row, hiddenSize). `didRoute` for the same rows follows.
  func willRoute(layer: Int, start: Int, input: FloatRows)
  /// Raw router logits of a layer for some of the step's rows, the first of which is row `start`:
  /// (row, expertCount); and what was chosen from them.
  func didRoute(layer: Int, start: Int, logits: FloatRows, selection: Selection)
  /// The output of a layer, residual included: (row, hiddenSize).
  func didFinish(layer: Int, _ hidden: FloatRows)
  /// Rows after the final norm: (row, hiddenSize).
  func didNormalize(_ rows: FloatRows)
}

extension DecoderObserver {
  package func didBegin(_ tokens: IndexView, _ sequences: [SequenceRows]) {}
  package func willRoute(layer: Int, start: Int, input: FloatRows) {}
}
