internal import CMoEKernelsInterface
package import MoECore

/// Operations that move whole rows: embedding, quantisation, gathering.
extension WorkerTeam {
  /// out[i] = row `tokens[i]` of the table, as floats. Every id must be a row of the table.
  package func embed(_ tokens: IndexView, from table: QuantizedMatrix, into out: FloatRows) {
    precondition(out.rowCount == tokens.count && out.columnCount == table.columnCount)
    for index in 0..<tokens.count { precondition(Int(tokens[index]) < table.rowCount) }
    unsafe tokens.pointer.withMemoryRebound(to: Int32.self, capacity: tokens.count) { ids in
      let job = unsafe moe_embed_job(
        format: UnsafePointer(table.format.entry),
        table: UnsafePointer(table.bytes.pointer.assumingMemoryBound(to: UInt8.self)),
        row_bytes: table.rowByteCount, ids: ids, out: out.storage.pointer, out_stride: out.stride,
        tokens: tokens.count, columns: table.columnCount, scale: table.scale)
      unsafe run(
        operations.pointee.embed, job, cost: tokens.count * table.columnCount / 4, as: .embed)
    }
  }

  /// Rows of floats into the activation form of `out`.
  package func quantize(_ x: FloatRows, into out: ActivationRows) {
    precondition(x.rowCount == out.rowCount && x.columnCount == out.columnCount)
    let job = unsafe moe_quantize_job(
      x: x.storage.pointer, x_stride: x.stride,
      out: out.bytes.pointer.assumingMemoryBound(to: UInt8.self),
      out_stride_bytes: out.rowByteCount, rows: x.rowCount, columns: x.columnCount,
      activation: out.form.cValue)
    unsafe run(
      operations.pointee.quantize, job, cost: x.rowCount * x.columnCount / 2, as: .quantize)
  }

  /// Copies a part of each group of a row's elements: `width` of them from column `offset` of each
  /// of `groupCount` equal groups, so that they lie side by side in `out`.
  package func regroup(
    _ x: FloatRows, groupCount: Int, offset: Int, width: Int, into out: FloatRows
  ) {
    precondition(groupCount > 0 && x.columnCount % groupCount == 0)
    let groupWidth = x.columnCount / groupCount
    precondition(offset >= 0 && width >= 0 && offset + width <= groupWidth)
    precondition(out.rowCount == x.rowCount && out.columnCount == groupCount * width)
    let start = x.columns(offset, count: x.columnCount - offset)
    let job = unsafe moe_regroup_job(
      x: start.storage.pointer, x_stride: x.stride, group_stride: groupWidth,
      out: out.storage.pointer, out_stride: out.stride, rows: x.rowCount, groups: groupCount,
      width: width)
    unsafe run(
      operations.pointee.regroup, job, cost: x.rowCount * groupCount * width / 16, as: .gather)
  }

  /// out[i] = row `rows[i]` of the source. Every index must be a row of the source.
  package func gather(_ source: ActivationRows, rows: IndexView, into out: ActivationRows) {
    precondition(source.form == out.form && source.columnCount == out.columnCount)
    precondition(rows.count == out.rowCount)
    for index in 0..<rows.count { precondition(Int(rows[index]) < source.rowCount) }
    let job = unsafe moe_gather_job(
      source: UnsafePointer(source.bytes.pointer.assumingMemoryBound(to: UInt8.self)),
      source_stride_bytes: source.rowByteCount, indices: rows.pointer,
      out: out.bytes.pointer.assumingMemoryBound(to: UInt8.self),
      out_stride_bytes: out.rowByteCount, rows: rows.count, row_bytes: out.rowByteCount)
    unsafe run(
      operations.pointee.gather, job, cost: rows.count * out.rowByteCount / 16, as: .gather)
  }
}
