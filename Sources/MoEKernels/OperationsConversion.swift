internal import CMoEKernelsInterface
package import MoECore

/// Weights from the form in which a file has them to that of their format.
extension WorkerTeam {
  /// - Parameters:
  ///   - format: What the weights are afterwards: (rowCount, columnCount) of it in `target`.
  ///   - stored: The file's bytes, apart from the target.
  ///   - scales: The file's bytes of these, where the form has such.
  package func convert(
    _ conversion: StoredConversion, to format: QuantFormat, rowCount: Int, columnCount: Int,
    stored: ByteView, scales: ByteView?, into target: ByteView
  ) {
    precondition(rowCount * format.rowByteCount(columnCount: columnCount) <= target.count)
    precondition(!conversion.takesTurns || rowCount.isMultiple(of: 2))
    let sizes = conversion.storedByteCounts(rowCount: rowCount, columnCount: columnCount, format)
    precondition(sizes.main <= stored.count && sizes.scales <= scales?.count ?? 0)
    let source = conversion.sourceFormat
    let job = unsafe moe_convert_job(
      form: conversion.cForm, format: source.map { unsafe UnsafePointer($0.entry) },
      source: UnsafePointer(stored.pointer.assumingMemoryBound(to: UInt8.self)),
      scales: scales.map { unsafe UnsafePointer($0.pointer.assumingMemoryBound(to: UInt8.self)) },
      target: target.pointer.assumingMemoryBound(to: UInt8.self), rows: rowCount,
      columns: columnCount, element_bytes: (source ?? format).blockByteCount,
      takes_turns: conversion.takesTurns ? 1 : 0)
    unsafe run(operations.pointee.convert, job, cost: rowCount * columnCount / 2, as: .preparation)
  }

  /// Copies bytes to where they do not lie yet.
  package func copy(_ source: ByteView, to target: ByteView) {
    precondition(source.count <= target.count)
    let job = unsafe moe_copy_job(
      source: UnsafePointer(source.pointer.assumingMemoryBound(to: UInt8.self)),
      target: target.pointer.assumingMemoryBound(to: UInt8.self), bytes: source.count)
    unsafe run(operations.pointee.copy, job, cost: source.count / 16, as: .preparation)
  }
}

extension StoredConversion {
  /// Bytes of a matrix in the file, and of its scales.
  package func storedByteCounts(
    rowCount: Int, columnCount: Int, _ format: QuantFormat
  ) -> (main: Int, scales: Int) {
    let count = rowCount * columnCount
    switch form {
    case .mxfp4: return (count / 2, count / 32)
    case .f8:
      let block = Int(MOE_STORED_F8_BLOCK)
      let blocks = (rowCount + block - 1) / block * ((columnCount + block - 1) / block)
      return (count, blocks * 4)
    case .columns: return (count * format.blockByteCount, 0)
    case .floats: return (count * (sourceFormat?.blockByteCount ?? 4), 0)
    }
  }

  /// What the stored elements are, where floats of another format are made of them.
  fileprivate var sourceFormat: QuantFormat? {
    guard case .floats(let id) = form else { return nil }
    guard let format = QuantFormat(ggmlType: id), format.blockElementCount == 1 else {
      preconditionFailure("floats are stored one by one")
    }
    return format
  }

  fileprivate var cForm: moe_stored_form {
    switch form {
    case .mxfp4: MOE_STORED_MXFP4
    case .f8: MOE_STORED_F8
    case .columns: MOE_STORED_COLUMNS
    case .floats: MOE_STORED_FLOATS
    }
  }
}
