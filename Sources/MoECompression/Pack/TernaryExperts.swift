package import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEStore

/// Experts of a model as a bundle has them in ternary weights, in place of the model's own: each is
/// rounded by GPTQ for the calibration rows that go to it, or to the nearest values.
package final class TernaryExperts {
  private let source: PackSource
  private let quantizer: MatrixQuantizer
  /// By layer; nil: to the nearest values.
  private let rows: [Int: CalibrationRows]?
  /// Of the layer whose experts come.
  private var layer = -1
  private var floats: ExpertFloats?
  private var experts: ExpertQuantizer?
  package private(set) var report = QuantizationReport()

  /// Tells one way of rounding from another, where an interrupted run is gone on with.
  let recipe: String

  /// - Parameters:
  ///   - rows: What the experts of each layer read of a calibration text; nil: all weights become
  ///     the nearest values.
  ///   - recipe: Says which text that was.
  package init(
    _ source: PackSource, quantizer: MatrixQuantizer, rows: [Int: CalibrationRows]? = nil,
    recipe: String = "rtn"
  ) {
    self.source = source
    self.quantizer = quantizer
    self.rows = rows
    self.recipe = "ternary " + recipe
  }

  /// What rounding takes besides what packing does.
  func byteCount(workerCount: Int) -> Int {
    source.routedLayers.reduce(0) { most, number in
      let layer = source.experts.layers[number]
      let sizes = layer.matrices.map { matrix in
        MatrixQuantizer.byteCount(
          rowCount: matrix.rowCount, columnCount: matrix.columnCount, workerCount: workerCount)
      }
      let floats = layer.parts.reduce(0) { $0 + 4 * $1.rowCount * $1.columnCount }
      guard rows != nil, let routed = source.description.layers[number].feedForward?.routed else {
        return max(most, 2 * floats + (sizes.max() ?? 0))
      }
      return max(
        most,
        2 * floats
          + ExpertQuantizer.byteCount(
            hiddenSize: source.description.hiddenSize, width: routed.width,
            workerCount: workerCount))
    }
  }

  /// What a part becomes: packed rows of ternary weights, where these are smaller.
  static func shape(of part: ExpertPart) -> CodedShape {
    let own = part.shape
    guard part.role.isMatrix, QuantFormat.ternary.canHave(columnCount: part.columnCount) else {
      return own
    }
    let ternary = CodedShape(
      format: .ternary, rowCount: part.rowCount, columnCount: part.columnCount)
    return ternary.byteCount < own.byteCount ? ternary : own
  }

  /// The parts of an expert that become ternary, by their numbers.
  ///
  /// - Parameters:
  ///   - parts: As the model has them.
  ///   - isSample: Whether it is made only to see how large it is: to the nearest values, and not
  ///     reported.
  func make(
    _ expert: ExpertID, _ parts: [ByteView], isSample: Bool = false
  ) throws(PackError) -> [Int: MadePart] {
    do throws(QuantizeError) {
      if layer != expert.layer { try begin(expert.layer) }
      guard let floats else { preconditionFailure("the layer has experts") }
      floats.fill(parts, formats: floats.parts.map(\.format), team: quantizer.team)
      let changed = floats.parts.indices.filter {
        Self.shape(of: floats.parts[$0]).format == .ternary
      }
      let made = try round(expert, floats, changed, isSample: isSample)
      return try packed(made, floats)
    } catch {
      throw .quantization(
        "expert \(expert.index) of layer \(expert.layer): \(error.description)")
    }
  }

  private func begin(_ number: Int) throws(QuantizeError) {
    (floats, experts) = (nil, nil)
    do throws(OutOfMemory) {
      floats = try ExpertFloats(source.experts.layers[number])
      if rows != nil, let routed = source.description.layers[number].feedForward?.routed {
        experts = try ExpertQuantizer(
          hiddenSize: source.description.hiddenSize, width: routed.width,
          activation: routed.activation, quantizer: quantizer,
          scalesInput: routed.router.weightPlacement == .input)
      }
    } catch {
      throw .outOfMemory(error)
    }
    layer = number
  }

  private func round(
    _ expert: ExpertID, _ floats: ExpertFloats, _ changed: [Int], isSample: Bool
  ) throws(QuantizeError) -> [ExpertQuantizer.Part] {
    if !isSample, let rows = rows?[expert.layer], let experts {
      let targets = changed.map { (floats.parts[$0].role, WeightTarget.ternary()) }
      let parts = try experts.quantize(
        floats, index: expert.index, rows: rows,
        targets: Dictionary(uniqueKeysWithValues: targets))
      report.add(expert, parts)
      return parts
    }
    var parts: [ExpertQuantizer.Part] = []
    for number in changed {
      let result = try quantizer.nearest(floats.rows(number), as: .ternary())
      parts.append(
        ExpertQuantizer.Part(
          role: floats.parts[number].role, weights: result.weights, outcome: result.outcome))
    }
    if !isSample { report.add(expert, parts) }
    return parts
  }

  private func packed(
    _ parts: [ExpertQuantizer.Part], _ floats: ExpertFloats
  ) throws(QuantizeError) -> [Int: MadePart] {
    var packed: [Int: MadePart] = [:]
    for part in parts {
      guard let number = floats.parts.firstIndex(where: { $0.role == part.role }) else { continue }
      do throws(OutOfMemory) {
        packed[number] = try part.weights.packedTernary()
      } catch {
        throw .outOfMemory(error)
      }
    }
    return packed
  }
}

extension QuantizedWeights {
  /// (row): as products read ternary weights; those have one grid for each row.
  package func packedTernary() throws(OutOfMemory) -> MadePart {
    let rowByteCount = QuantFormat.ternary.rowByteCount(columnCount: columnCount)
    let part = try MadePart(byteCount: rowCount * rowByteCount)
    for row in 0..<rowCount {
      guard let (levels, digits) = ternaryRow(row), levels.count == 1 else {
        preconditionFailure("these are not ternary weights with a grid for each row")
      }
      TernaryRows.pack(
        digits.span, low: levels[0].low, high: levels[0].high,
        into: part.bytes.slice(row * rowByteCount, count: rowByteCount))
    }
    return part
  }
}
