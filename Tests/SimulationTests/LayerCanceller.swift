import MoECore
import MoEKernels
import MoEModel

/// Cancels a pass once it has finished a layer, or before the first (-1).
final class LayerCanceller: DecoderObserver {
  let flag = CancellationFlag()
  private let layer: Int

  init(afterLayer layer: Int) {
    self.layer = layer
    if layer < 0 { flag.cancel() }
  }

  func didFinish(layer: Int, _ hidden: FloatRows) { if layer == self.layer { flag.cancel() } }

  func didEmbed(_ hidden: FloatRows) {}
  func didRoute(layer: Int, start: Int, logits: FloatRows, selection: Selection) {}
  func didNormalize(_ rows: FloatRows) {}
}
