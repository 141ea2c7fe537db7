package import MoECore
import MoEExperts
import MoEModel

/// Measures what a layer's results lose in each format, on the expert that calibration text uses
/// most.
///
/// Weights are rounded to the nearest values: what GPTQ makes of them loses less, but by a factor
/// that differs little from layer to layer.
package struct LayerLosses {
  private let source: QuantizationSource
  private let quantizer: MatrixQuantizer

  package init(_ source: QuantizationSource, quantizer: MatrixQuantizer) {
    self.source = source
    self.quantizer = quantizer
  }

  /// (encoder): the loss as a share of the squares of the expert's results; 1 in each where no
  /// token of the text takes any expert of the layer, as nothing is known then.
  package func losses(
    _ rows: CalibrationRows, _ encoders: [BlockEncoder]
  ) throws(QuantizeError) -> [Double] {
    let layer = source.experts.layers[rows.layer]
    guard let routed = source.description.layers[rows.layer].feedForward?.routed else {
      preconditionFailure("layer \(rows.layer) has no experts")
    }
    let index = rows.shares.indices.max {
      (rows.shares[$0].offeredCount, $1) < (rows.shares[$1].offeredCount, $0)
    }
    guard let index, !rows.shares[index].rows.isEmpty else { return encoders.map { _ in 1 } }
    var options = GPTQOptions()
    options.tokenCountMin = .max
    let (floats, expert) = try withMemoryErrors { () throws(OutOfMemory) in
      (
        try ExpertFloats(layer),
        try ExpertQuantizer(
          hiddenSize: source.description.hiddenSize, width: routed.width,
          activation: routed.activation, quantizer: quantizer, options: options,
          scalesInput: routed.router.weightPlacement == .input)
      )
    }
    try source.read(
      ExpertID(layer: rows.layer, index: index), into: floats, team: quantizer.team)
    var losses: [Double] = []
    for encoder in encoders {
      let targets = Dictionary(
        uniqueKeysWithValues: layer.matrices.compactMap { part in
          BlockEncoderRegistry.substitute(for: encoder, columnCount: part.columnCount).map {
            (part.role, WeightTarget.blocks($0))
          }
        })
      let parts = try expert.quantize(floats, index: index, rows: rows, targets: targets)
      let signal = parts.reduce(0) { $0 + $1.outcome.signal }
      let loss = parts.reduce(0) { $0 + $1.outcome.nearestLoss }
      losses.append(signal > 0 ? loss / signal : 1)
    }
    return losses
  }
}
