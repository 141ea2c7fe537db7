internal import CMoEKernels
package import MoECore

/// Operations on hidden states: normalisation and sums.
extension WorkerTeam {
  /// y = x / sqrt(mean(x²) + epsilon) · weight, row by row; `y` may be `x`. Without a weight the
  /// norm alone.
  package func rmsNorm(_ x: FloatRows, weight: FloatView?, epsilon: Float, into y: FloatRows) {
    precondition(x.columnCount > 0 && (weight == nil || weight?.count == x.columnCount))
    precondition(y.rowCount == x.rowCount && y.columnCount == x.columnCount)
    let job = unsafe moe_rms_norm_job(
      x: x.storage.pointer, groups: x.rowCount, group_stride: x.stride, rows_per_group: 1,
      row_stride: 0, weight: UnsafePointer(weight?.pointer), y: y.storage.pointer,
      y_row_stride: y.stride, columns: x.columnCount, epsilon: epsilon)
    unsafe run(
      operations.pointee.rms_norm, job, cost: x.rowCount * x.columnCount / 8, as: .normalize)
  }

  /// The same in place for every head of every row: `headCount` heads of `weight.count` elements,
  /// which lead each row.
  package func rmsNormHeads(
    _ x: FloatRows, headCount: Int, weight: FloatView, epsilon: Float
  ) {
    rmsNormHeads(
      x, headCount: headCount, headDimension: weight.count, weight: weight, epsilon: epsilon)
  }

  /// The same without a weight, for heads of `headDimension` elements.
  package func rmsNormHeads(
    _ x: FloatRows, headCount: Int, headDimension: Int, epsilon: Float
  ) {
    rmsNormHeads(
      x, headCount: headCount, headDimension: headDimension, weight: nil, epsilon: epsilon)
  }

  private func rmsNormHeads(
    _ x: FloatRows, headCount: Int, headDimension: Int, weight: FloatView?, epsilon: Float
  ) {
    precondition(headDimension > 0 && headCount >= 0)
    precondition(headCount * headDimension <= x.columnCount)
    let job = unsafe moe_rms_norm_job(
      x: x.storage.pointer, groups: x.rowCount, group_stride: x.stride, rows_per_group: headCount,
      row_stride: headDimension, weight: UnsafePointer(weight?.pointer), y: nil,
      y_row_stride: 0, columns: headDimension, epsilon: epsilon)
    unsafe run(
      operations.pointee.rms_norm, job, cost: x.rowCount * headCount * headDimension / 8,
      as: .normalize)
  }

  /// x += y.
  package func add(_ y: FloatView, to x: FloatView) {
    precondition(x.count == y.count)
    let job = unsafe moe_add_job(x: x.pointer, y: y.pointer, count: x.count)
    unsafe run(operations.pointee.add, job, cost: x.count / 8, as: .add)
  }

  /// x += bias, for each row.
  package func addBias(_ bias: FloatView, to x: FloatRows) {
    precondition(bias.count == x.columnCount)
    addRows(bias, stride: 0, gates: nil, scale: 1, to: x)
  }

  /// x += scale · y, row by row.
  package func add(_ y: FloatRows, scale: Float, to x: FloatRows) {
    precondition(y.rowCount == x.rowCount && y.columnCount == x.columnCount)
    addRows(y.storage, stride: y.stride, gates: nil, scale: scale, to: x)
  }

  /// x += sigmoid(gate) · y, row by row, where sigmoid(g) = 1 / (1 + exp(-g)).
  ///
  /// - Parameter gates: (row, 1)
  package func addGated(_ y: FloatRows, gates: FloatRows, to x: FloatRows) {
    precondition(y.rowCount == x.rowCount && y.columnCount == x.columnCount)
    precondition(gates.rowCount == x.rowCount && gates.columnCount == 1)
    addRows(y.storage, stride: y.stride, gates: gates, scale: 1, to: x)
  }

  private func addRows(
    _ y: FloatView, stride: Int, gates: FloatRows?, scale: Float, to x: FloatRows
  ) {
    let job = unsafe moe_add_rows_job(
      x: x.storage.pointer, x_stride: x.stride, y: y.pointer, y_stride: stride,
      gates: UnsafePointer(gates?.storage.pointer), gate_stride: gates?.stride ?? 0,
      scale: scale, rows: x.rowCount, columns: x.columnCount)
    unsafe run(operations.pointee.add_rows, job, cost: x.rowCount * x.columnCount / 8, as: .add)
  }

  /// out[tokens[i]] += weights[i] · y[i], for i = 0, 1, ... in that order.
  package func scatterAdd(
    _ y: FloatRows, tokens: IndexView, weights: FloatView, into out: FloatRows
  ) {
    precondition(tokens.count == y.rowCount && weights.count == y.rowCount)
    precondition(out.columnCount == y.columnCount)
    for index in 0..<tokens.count { precondition(Int(tokens[index]) < out.rowCount) }
    let job = unsafe moe_scatter_add_job(
      y: y.storage.pointer, y_stride: y.stride, tokens: tokens.pointer, weights: weights.pointer,
      out: out.storage.pointer, out_stride: out.stride, rows: y.rowCount, columns: y.columnCount)
    unsafe run(
      operations.pointee.scatter_add, job, cost: y.rowCount * y.columnCount / 8, as: .weightedSum)
  }
}
