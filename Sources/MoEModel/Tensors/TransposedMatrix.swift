package import MoECore
package import MoEKernels

/// The matrix that is made at load of rows of another (`TransposedRows`).
///
/// Numbers of a format without blocks stay in it: nothing changes. A format with blocks along what
/// were rows has none along the columns, so its numbers become halves: 11 bits, where a weight had
/// at most 8 and a scale. That takes half of what floats would, which for a model of hundreds of
/// billions is a gigabyte.
package struct TransposedMatrix {
  private let source: DenseTensor
  private let heads: TransposedRows

  /// Nil where nothing is made of the tensor.
  package init?(of tensor: DenseTensor) {
    guard let heads = tensor.transposed else { return nil }
    source = tensor
    self.heads = heads
  }

  package var role: TensorRole { heads.role }
  package var rowCount: Int { heads.headCount * source.columnCount }
  package var columnCount: Int { heads.rowCount }

  package var format: QuantFormat {
    if source.format.blockElementCount == 1 { return source.format }
    guard let halves = QuantFormat(ggmlType: 1) else {
      preconditionFailure("halves are among the formats")
    }
    return halves
  }

  /// A multiple of 64, so that what follows lies as well.
  package var byteCount: Int {
    (rowCount * format.rowByteCount(columnCount: columnCount) + 63) / 64 * 64
  }

  /// - Parameters:
  ///   - bytes: The source's.
  ///   - memory: `byteCount` bytes, which are written.
  package func make(from bytes: ByteView, in memory: ByteView) -> QuantizedMatrix {
    let rowByteCount = source.format.rowByteCount(columnCount: source.columnCount)
    let elementByteCount = format.blockByteCount
    var floats = [Float](repeating: 0, count: source.columnCount)
    let headRowCount = source.rowCount / heads.headCount
    for head in 0..<heads.headCount {
      for row in 0..<heads.rowCount {
        let values = bytes.slice((head * headRowCount + row) * rowByteCount, count: rowByteCount)
        let start = (head * source.columnCount * columnCount + row) * elementByteCount
        let column = memory.slice(start, count: memory.count - start)
        if source.format == format {
          copy(values, elementByteCount: elementByteCount, to: column)
        } else {
          unsafe floats.withUnsafeMutableBufferPointer { buffer in
            guard let address = buffer.baseAddress else { return }
            let view = unsafe FloatView(address, count: buffer.count)
            source.format.dequantize(values, into: view)
            store(view, to: column)
          }
        }
      }
    }
    return QuantizedMatrix(
      format: format, bytes: memory, rowCount: rowCount, columnCount: columnCount)
  }

  /// - Parameter column: From the first number's place on.
  private func copy(_ values: ByteView, elementByteCount: Int, to column: ByteView) {
    let stride = columnCount * elementByteCount
    precondition((source.columnCount - 1) * stride + elementByteCount <= column.count)
    for index in 0..<source.columnCount {
      unsafe (column.pointer + index * stride).copyMemory(
        from: values.pointer + index * elementByteCount, byteCount: elementByteCount)
    }
  }

  private func store(_ values: FloatView, to column: ByteView) {
    let stride = columnCount * 2
    precondition((values.count - 1) * stride + 2 <= column.count)
    for index in 0..<values.count {
      unsafe (column.pointer + index * stride).storeBytes(
        of: Float16(values[index]).bitPattern, as: UInt16.self)
    }
  }
}
