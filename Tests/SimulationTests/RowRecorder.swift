import MoECore
import MoEKernels
import MoEModel

/// Keeps every row that one layer gives.
final class RowRecorder: DecoderObserver {
  private let layer: Int
  /// (row, hiddenSize)
  private(set) var values: [Float] = []

  init(layer: Int) { self.layer = layer }

  func didFinish(layer: Int, _ hidden: FloatRows) {
    guard layer == self.layer else { return }
    for row in 0..<hidden.rowCount { values += hidden.row(row).array() }
  }

  func didEmbed(_ hidden: FloatRows) {}
  func didRoute(layer: Int, start: Int, logits: FloatRows, selection: Selection) {}
  func didNormalize(_ rows: FloatRows) {}
}
