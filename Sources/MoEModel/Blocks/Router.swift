import MoECore
import MoEKernels

/// The experts that each token of a step takes in one layer, best first, and their weights.
package struct Selection: Sendable {
  package let tokenCount: Int
  package let expertsPerToken: Int
  /// (token, stride): expert indices
  let experts: IndexView
  /// (token, stride)
  let weights: FloatView
  let expertStride: Int
  let weightStride: Int

  package func expert(token: Int, rank: Int) -> Int {
    Int(experts[token * expertStride + rank])
  }

  package func weight(token: Int, rank: Int) -> Float { weights[token * weightStride + rank] }
}

/// From router logits to a selection, as the model's description says. Reads and writes scratch
/// only.
struct Router {
  let description: RouterDescription

  /// - Parameters:
  ///   - logits: (token, expertCount), kept.
  ///   - probabilities: (token, expertCount), overwritten.
  func select(
    logits: FloatRows, probabilities: FloatRows, into selection: Selection
  ) {
    for token in 0..<logits.rowCount {
      let row = probabilities.row(token)
      row.copy(from: logits.row(token))
      _ = VectorMath.softmax(row)
      var sum: Float = 0
      for rank in 0..<description.expertsPerToken {
        // The first of equals wins, so that ties are broken the same way everywhere.
        var best = VectorMath.argmax(row)
        var weight = row[best]
        if !(weight >= 0) {
          // Only NaN is left, of weights that are no numbers: the experts must differ all the same.
          best = (0..<row.count).first { row[$0].isNaN } ?? best
          weight = .nan
        }
        selection.experts[token * selection.expertStride + rank] = UInt32(best)
        selection.weights[token * selection.weightStride + rank] = weight
        sum += weight
        row[best] = -1
      }
      if description.renormalizesWeights && sum > 0 {
        for rank in 0..<description.expertsPerToken {
          selection.weights[token * selection.weightStride + rank] /= sum
        }
      }
    }
  }
}
