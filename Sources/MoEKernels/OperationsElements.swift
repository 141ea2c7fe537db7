internal import CMoEKernels
package import MoECore

/// Operations on hidden states: normalisation, gating, sums.
extension WorkerTeam {
  /// y = x / sqrt(mean(x²) + epsilon) · weight, row by row; `y` may be `x`.
  package func rmsNorm(_ x: FloatRows, weight: FloatView, epsilon: Float, into y: FloatRows) {
    precondition(x.columnCount > 0 && weight.count == x.columnCount)
    precondition(y.rowCount == x.rowCount && y.columnCount == x.columnCount)
    let job = unsafe moe_rms_norm_job(
      x: x.storage.pointer, groups: x.rowCount, group_stride: x.stride, rows_per_group: 1,
      row_stride: 0, weight: weight.pointer, y: y.storage.pointer, y_row_stride: y.stride,
      columns: x.columnCount, epsilon: epsilon)
    unsafe run(
      operations.pointee.rms_norm, job, cost: x.rowCount * x.columnCount / 8, as: .normalize)
  }

  /// The same in place for every head of every row: `headCount` heads of `weight.count` elements,
  /// which lead each row.
  package func rmsNormHeads(
    _ x: FloatRows, headCount: Int, weight: FloatView, epsilon: Float
  ) {
    precondition(weight.count > 0 && headCount >= 0)
    precondition(headCount * weight.count <= x.columnCount)
    let job = unsafe moe_rms_norm_job(
      x: x.storage.pointer, groups: x.rowCount, group_stride: x.stride, rows_per_group: headCount,
      row_stride: weight.count, weight: weight.pointer, y: nil, y_row_stride: 0,
      columns: weight.count, epsilon: epsilon)
    unsafe run(
      operations.pointee.rms_norm, job, cost: x.rowCount * headCount * weight.count / 8,
      as: .normalize)
  }

  /// gate = silu(gate) · up, where silu(x) = x / (1 + exp(-x)).
  package func swiglu(gate: FloatRows, up: FloatRows) {
    precondition(gate.rowCount == up.rowCount && gate.columnCount == up.columnCount)
    let job = unsafe moe_swiglu_job(
      gate: gate.storage.pointer, up: up.storage.pointer, rows: gate.rowCount,
      columns: gate.columnCount, gate_stride: gate.stride, up_stride: up.stride)
    unsafe run(
      operations.pointee.swiglu, job, cost: gate.rowCount * gate.columnCount, as: .activate)
  }

  /// x += y.
  package func add(_ y: FloatView, to x: FloatView) {
    precondition(x.count == y.count)
    let job = unsafe moe_add_job(x: x.pointer, y: y.pointer, count: x.count)
    unsafe run(operations.pointee.add, job, cost: x.count / 8, as: .add)
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
