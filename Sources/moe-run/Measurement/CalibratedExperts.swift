import MoECompression
import MoECore
import MoEExperts
import MoEKernels
import MoEModel

/// Quantises experts as a file's writer asks for them.
final class CalibratedExperts {
  private let source: QuantizationSource
  private let writer: QuantizedModelWriter
  private let rows: [Int: CalibrationRows]
  private let quantizer: MatrixQuantizer
  /// Of the layer whose experts come.
  private var layer = -1
  private var floats: ExpertFloats?
  private var experts: ExpertQuantizer?
  private(set) var report = QuantizationReport()

  init(
    _ source: QuantizationSource, writer: QuantizedModelWriter, rows: [Int: CalibrationRows],
    quantizer: MatrixQuantizer
  ) {
    self.source = source
    self.writer = writer
    self.rows = rows
    self.quantizer = quantizer
  }

  func make(_ expert: ExpertID) throws(QuantizeError) -> [ExpertPartRole: [UInt8]] {
    if layer != expert.layer { try begin(expert.layer) }
    guard let floats, let experts else { preconditionFailure("the layer has experts") }
    try source.read(expert, into: floats, team: quantizer.team)
    var targets: [ExpertPartRole: WeightTarget] = [:]
    for part in floats.parts {
      if let encoder = writer.encoder(of: part.role, expert) {
        targets[part.role] = .blocks(encoder)
      }
    }
    let parts = try experts.quantize(
      floats, index: expert.index, rows: rows[expert.layer], targets: targets)
    report.add(expert, parts)
    return Dictionary(uniqueKeysWithValues: parts.map { ($0.role, $0.weights.bytes) })
  }

  private func begin(_ number: Int) throws(QuantizeError) {
    (floats, experts) = (nil, nil)
    guard let routed = source.description.layers[number].feedForward?.routed else {
      preconditionFailure("layer \(number) has no experts")
    }
    do throws(OutOfMemory) {
      floats = try ExpertFloats(source.experts.layers[number])
      experts = try ExpertQuantizer(
        hiddenSize: source.description.hiddenSize, width: routed.width,
        activation: routed.activation, quantizer: quantizer,
        scalesInput: routed.router.weightPlacement == .input)
    } catch {
      throw .outOfMemory(error)
    }
    layer = number
  }
}
