import MoECore
import MoEKernels
import MoEModel

/// Keeps everything that passes through a decoder, as arrays.
final class RecordingObserver: DecoderObserver {
  /// (token, hiddenSize) of the input of layer 0.
  private(set) var embedded: [Float] = []
  /// (layer) -> (token, hiddenSize)
  private(set) var hidden: [Int: [Float]] = [:]
  /// (layer) -> (token, expertCount)
  private(set) var routerLogits: [Int: [Float]] = [:]
  /// (layer) -> (token): chosen experts with their weights, ascending by expert.
  private(set) var choices: [Int: [[(expert: Int, weight: Float)]]] = [:]
  /// (row, hiddenSize) after the final norm.
  private(set) var normalized: [Float] = []

  func didEmbed(_ rows: FloatRows) { embedded += rows.values }

  func didFinish(layer: Int, _ rows: FloatRows) { hidden[layer, default: []] += rows.values }

  func didNormalize(_ rows: FloatRows) { normalized += rows.values }

  func didRoute(layer: Int, start: Int, logits: FloatRows, selection: Selection) {
    routerLogits[layer, default: []] += logits.values
    for token in 0..<selection.tokenCount {
      let chosen = (0..<selection.expertsPerToken).map {
        (
          expert: selection.expert(token: token, rank: $0),
          weight: selection.weight(token: token, rank: $0)
        )
      }
      choices[layer, default: []].append(chosen.sorted { $0.expert < $1.expert })
    }
  }
}

extension FloatRows {
  /// The rows one after the other, without padding.
  var values: [Float] { (0..<rowCount).flatMap { row($0).array() } }
}
