import MoECore
import MoEKernels

extension Decoder {
  /// Guesses what the layer's own norm and router make of the residual stream as it is one layer
  /// earlier (arXiv 2312.17238, section 3.2): a block changes the stream little.
  ///
  /// - Parameter hidden: (row, hiddenSize), a tile.
  func askRouter(of layer: Int, hidden: FloatRows) {
    let layout = scratch.layout
    let count = hidden.rowCount
    let normed = scratch.rows(layout.lookAheadNormed, count: count)
    let logits = scratch.rows(layout.routerLogits, count: count)
    let router = weights.layers[layer].router
    team.rmsNorm(
      hidden, weight: weights.layers[layer].feedForwardNorm, epsilon: description.normEpsilon,
      into: normed)
    products.removeAll()
    products.append(
      router, inForm(of: router, normed, regions: layout.lookAheadForms), into: logits)
    team.multiply(products, as: .lookAhead)
    for token in 0..<count {
      lookAhead.add(logits.row(token), expertsPerToken: description.router.expertsPerToken)
    }
  }

  /// Rows in the form that a matrix reads.
  private func inForm(
    of matrix: QuantizedMatrix, _ rows: FloatRows,
    regions: [ActivationForm: ScratchLayout.Region]
  ) -> ActivationRows {
    let form = matrix.format.activation
    if form == .f32 { return rows.asActivations }
    let result = scratch.activations(
      regions, form: form, count: rows.rowCount, columns: rows.columnCount)
    team.quantize(rows, into: result)
    return result
  }
}
