package import MoECore
package import MoEExperts
package import MoEKernels

/// Quantises experts, one after the other, each for the calibration rows that go to it.
///
/// Gate and up read the layer's rows and share a Hessian; down reads what the expert makes of them
/// with its weights as they were. Where few rows go to an expert, or its Hessian has no factor, its
/// matrices are rounded to the nearest values, and the outcome says so.
package final class ExpertQuantizer {
  package let quantizer: MatrixQuantizer
  package let options: GPTQOptions
  private let inner: InnerRows
  private let hiddenHessian: Hessian
  private let innerHessian: Hessian
  private let scalesInput: Bool

  /// What one takes, besides an expert's floats and its results.
  package static func byteCount(hiddenSize: Int, width: Int, workerCount: Int) -> Int {
    Hessian.byteCount(columnCount: hiddenSize) + Hessian.byteCount(columnCount: width)
      + InnerRows.byteCount(hiddenSize: hiddenSize, width: width)
      + max(
        MatrixQuantizer.byteCount(
          rowCount: 2 * width, columnCount: hiddenSize, workerCount: workerCount),
        MatrixQuantizer.byteCount(
          rowCount: hiddenSize, columnCount: width, workerCount: workerCount))
  }

  /// - Parameter scalesInput: Whether a row's weight is a factor on what an expert reads, and not
  ///   on what it gives.
  package init(
    hiddenSize: Int, width: Int, activation: Activation, quantizer: MatrixQuantizer,
    options: GPTQOptions = GPTQOptions(), scalesInput: Bool = false
  ) throws(OutOfMemory) {
    self.quantizer = quantizer
    self.options = options
    self.scalesInput = scalesInput
    inner = try InnerRows(
      hiddenSize: hiddenSize, width: width, activation: activation, team: quantizer.team)
    hiddenHessian = try Hessian(columnCount: hiddenSize, team: quantizer.team)
    innerHessian = try Hessian(columnCount: width, team: quantizer.team)
  }

  /// An expert's part that was quantised.
  package struct Part: Sendable {
    package let role: ExpertPartRole
    package let weights: QuantizedWeights
    package let outcome: QuantizationOutcome
  }

  /// - Parameters:
  ///   - rows: Of the expert's layer; nil: everything is rounded to the nearest values.
  ///   - targets: What parts become; the others are left out of the result.
  package func quantize(
    _ expert: ExpertFloats, index: Int, rows: CalibrationRows?,
    targets: [ExpertPartRole: WeightTarget]
  ) throws(QuantizeError) -> [Part] {
    guard let rows else { return try nearest(expert, targets) }
    do throws(CalibrationError) {
      try collect(expert, index, rows)
    } catch {
      throw .calibration(error)
    }
    var parts: [Part] = []
    // Matrices of one target that read the same rows go together.
    let first = [ExpertPartRole.gate, .up, .gateUp].filter { targets[$0] != nil }
    for roles in Self.grouped(first, targets) {
      parts += try quantize(expert, roles, targets, hiddenHessian)
    }
    if targets[.down] != nil { parts += try quantize(expert, [.down], targets, innerHessian) }
    return parts
  }

  /// The Hessians of the rows that go to an expert.
  private func collect(
    _ expert: ExpertFloats, _ index: Int, _ rows: CalibrationRows
  ) throws(CalibrationError) {
    hiddenHessian.clear()
    innerHessian.clear()
    try rows.forEachChunk(of: index, scaled: scalesInput, inner.input) { chunk in
      hiddenHessian.add(chunk)
      innerHessian.add(inner.activations(rowCount: chunk.rowCount, expert))
    }
  }

  private static func grouped(
    _ roles: [ExpertPartRole], _ targets: [ExpertPartRole: WeightTarget]
  ) -> [[ExpertPartRole]] {
    var groups: [[ExpertPartRole]] = []
    for role in roles {
      let name = targets[role]?.name
      if let last = groups.indices.last, targets[groups[last][0]]?.name == name {
        groups[last].append(role)
      } else {
        groups.append([role])
      }
    }
    return groups
  }

  private func quantize(
    _ expert: ExpertFloats, _ roles: [ExpertPartRole],
    _ targets: [ExpertPartRole: WeightTarget], _ hessian: Hessian
  ) throws(QuantizeError) -> [Part] {
    let present = roles.filter { expert.rows($0) != nil }
    guard let role = present.first, let target = targets[role] else { return [] }
    let results = try quantizer.gptq(
      present.compactMap { expert.rows($0) }, hessian, as: target, options: options)
    return zip(present, results).map { role, result in
      Part(role: role, weights: result.weights, outcome: result.outcome)
    }
  }

  private func nearest(
    _ expert: ExpertFloats, _ targets: [ExpertPartRole: WeightTarget]
  ) throws(QuantizeError) -> [Part] {
    var parts: [Part] = []
    for role in ExpertPartRole.allCases {
      guard let target = targets[role], let rows = expert.rows(role) else { continue }
      let result = try quantizer.nearest(rows, as: target)
      parts.append(Part(role: role, weights: result.weights, outcome: result.outcome))
    }
    return parts
  }
}
