internal import CMoEKernelsInterface
package import MoECore

/// Operations on hidden states: normalisation and sums.
extension WorkerTeam {
  /// y = x / sqrt(mean(x²) + epsilon) · weight, row by row; `y` may be `x`. Without a weight the
  /// norm alone.
  package func rmsNorm(_ x: FloatRows, weight: FloatView?, epsilon: Float, into y: FloatRows) {
    rmsNormHeads(
      x, headCount: 1, headDimension: x.columnCount, weight: weight, epsilon: epsilon, into: y)
  }

  /// The same for every head of every row: `headCount` heads of `headDimension` elements, which
  /// lead each row; elements behind them stay as they are. `y` may be `x`.
  package func rmsNormHeads(
    _ x: FloatRows, headCount: Int, headDimension: Int, weight: FloatView? = nil, epsilon: Float,
    into y: FloatRows
  ) {
    precondition(headDimension > 0 && headCount >= 0)
    precondition(weight == nil || weight?.count == headDimension)
    precondition(headCount * headDimension <= min(x.columnCount, y.columnCount))
    precondition(y.rowCount == x.rowCount)
    let job = unsafe moe_rms_norm_job(
      x: x.storage.pointer, groups: x.rowCount, group_stride: x.stride, rows_per_group: headCount,
      row_stride: headDimension, weight: UnsafePointer(weight?.pointer), y: y.storage.pointer,
      y_group_stride: y.stride, y_row_stride: headDimension, columns: headDimension,
      epsilon: epsilon)
    unsafe run(
      operations.pointee.rms_norm, job, cost: x.rowCount * headCount * headDimension / 8,
      as: .normalize)
  }

  /// y = (x - mean(x)) / sqrt(variance(x) + epsilon) · weight + bias, row by row (arXiv
  /// 1607.06450); `y` may be `x`.
  package func layerNorm(
    _ x: FloatRows, weight: FloatView?, bias: FloatView?, epsilon: Float, into y: FloatRows
  ) {
    precondition(x.columnCount > 0 && (weight == nil || weight?.count == x.columnCount))
    precondition(bias == nil || bias?.count == x.columnCount)
    precondition(y.rowCount == x.rowCount && y.columnCount == x.columnCount)
    let job = unsafe moe_layer_norm_job(
      x: x.storage.pointer, x_stride: x.stride, weight: UnsafePointer(weight?.pointer),
      bias: UnsafePointer(bias?.pointer), y: y.storage.pointer, y_stride: y.stride,
      rows: x.rowCount, columns: x.columnCount, epsilon: epsilon)
    unsafe run(
      operations.pointee.layer_norm, job, cost: x.rowCount * x.columnCount / 4, as: .normalize)
  }

  /// x = scale · factor · x, row by row, and then, with a cap, x = cap · tanh(x / cap) (Gemma 2,
  /// arXiv 2408.00118, section 2).
  ///
  /// - Parameters:
  ///   - factors: (row); nil: 1.
  ///   - softCap: Above 0.
  package func scale(
    _ x: FloatRows, by scale: Float, factors: FloatView? = nil, softCap: Float? = nil
  ) {
    precondition(factors == nil || factors?.count == x.rowCount)
    precondition(softCap.map { $0 > 0 } ?? true)
    let job = unsafe moe_scale_job(
      x: x.storage.pointer, x_stride: x.stride, factors: UnsafePointer(factors?.pointer),
      scale: scale, soft_cap: softCap ?? 0, rows: x.rowCount, columns: x.columnCount)
    let cost = x.rowCount * x.columnCount / (softCap == nil ? 8 : 1)
    unsafe run(operations.pointee.scale, job, cost: cost, as: .scale)
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
  ///
  /// - Parameter weights: (row); nil: 1.
  package func scatterAdd(
    _ y: FloatRows, tokens: IndexView, weights: FloatView?, into out: FloatRows
  ) {
    precondition(tokens.count == y.rowCount && weights.map { $0.count == y.rowCount } ?? true)
    precondition(out.columnCount == y.columnCount)
    for index in 0..<tokens.count { precondition(Int(tokens[index]) < out.rowCount) }
    let job = unsafe moe_scatter_add_job(
      y: y.storage.pointer, y_stride: y.stride, tokens: tokens.pointer,
      weights: UnsafePointer(weights?.pointer),
      out: out.storage.pointer, out_stride: out.stride, rows: y.rowCount, columns: y.columnCount)
    unsafe run(
      operations.pointee.scatter_add, job, cost: y.rowCount * y.columnCount / 8, as: .weightedSum)
  }
}
