package import MoECore
package import MoEKernels

/// What an expert's down projection reads: the activation of gate and up, computed from the
/// expert's rows and its weights before they are quantised.
package final class InnerRows {
  package let hiddenSize: Int
  package let width: Int
  private let activation: Activation
  private let team: WorkerTeam
  private let memory: AlignedBuffer
  private var products = ProductList(capacity: 2)

  /// Rows that are computed at once.
  package static let rowCountMax = 512

  private var inputStride: Int { Hessian.rowStride(columnCount: hiddenSize) }

  package static func byteCount(hiddenSize: Int, width: Int) -> Int {
    AlignedBuffer.mappedByteCount(
      for: 4 * rowCountMax * (Hessian.rowStride(columnCount: hiddenSize) + 2 * width))
  }

  package init(
    hiddenSize: Int, width: Int, activation: Activation, team: WorkerTeam
  ) throws(OutOfMemory) {
    (self.hiddenSize, self.width) = (hiddenSize, width)
    (self.activation, self.team) = (activation, team)
    memory = try AlignedBuffer(
      byteCount: 4 * Self.rowCountMax * (Hessian.rowStride(columnCount: hiddenSize) + 2 * width))
  }

  /// Where inputs are put: (row, hiddenSize), as products read them.
  package var input: FloatRows {
    FloatRows(
      memory.floats(count: Self.rowCountMax * inputStride), rowCount: Self.rowCountMax,
      columnCount: hiddenSize, stride: inputStride)
  }

  private func inner(_ number: Int, rowCount: Int) -> FloatRows {
    let start = Self.rowCountMax * (inputStride + number * width)
    return FloatRows(
      memory.floats(atByteOffset: 4 * start, count: rowCount * width), rowCount: rowCount,
      columnCount: width)
  }

  /// (row, width), valid until the next call, for the first rows of `input`.
  package func activations(rowCount: Int, _ expert: ExpertFloats) -> FloatRows {
    precondition(rowCount <= Self.rowCountMax)
    let (gate, up) = expert.firstMatrices()
    guard let up, (gate != nil) == activation.isGated else {
      preconditionFailure("an expert has the matrices that its activation wants")
    }
    let x = ActivationRows(
      memory.bytes(count: 4 * rowCount * inputStride), rowCount: rowCount,
      columnCount: hiddenSize, form: .f32)
    let (gateRows, upRows) = (inner(0, rowCount: rowCount), inner(1, rowCount: rowCount))
    products.removeAll()
    if let gate { products.append(gate, x, into: gateRows) }
    products.append(up, x, into: upRows)
    team.multiply(products)
    let biases = expert.firstBiases()
    if let bias = biases.gate { team.addBias(bias, to: gateRows) }
    if let bias = biases.up { team.addBias(bias, to: upRows) }
    team.activate(activation, gate: gate == nil ? nil : gateRows, up: upRows)
    return gate == nil ? upRows : gateRows
  }
}
