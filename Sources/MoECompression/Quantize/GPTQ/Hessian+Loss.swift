import MoECore
package import MoEKernels

extension Hessian {
  /// tr(D H Dᵀ): what the results of the rows that were added lose, in squares, if weights are
  /// changed by D.
  ///
  /// - Parameter differences: (row, column), `rowStride` elements from one to the next, those
  ///   behind a row 0; at a multiple of 64 bytes.
  package func loss(_ differences: FloatRows) -> Double {
    precondition(
      differences.columnCount == columnCount
        && differences.stride == Self.rowStride(columnCount: columnCount))
    finish()
    var sum = 0.0
    for row in 0..<differences.rowCount {
      let values = differences.row(row)
      for column in 0..<columnCount {
        sum += diagonal[column] * Double(values[column]) * Double(values[column])
      }
    }
    // The rows that one product takes: there is room for so many sums.
    let rowCountMax = columnCount * Self.chunkRowCount / Self.bandRowCount
    for start in Swift.stride(from: 0, to: columnCount, by: Self.bandRowCount) {
      let band = band(start, stride: differences.stride)
      for row in Swift.stride(from: 0, to: differences.rowCount, by: rowCountMax) {
        let rows = differences.rows(row, count: min(rowCountMax, differences.rowCount - row))
        sum += 2 * product(rows, band, start)
      }
    }
    return sum
  }

  /// Rows of H below the diagonal, as floats.
  private func band(_ start: Int, stride: Int) -> QuantizedMatrix {
    let count = min(Self.bandRowCount, columnCount - start)
    let values = products.floats(count: count * stride)
    values.fill(with: 0)
    let matrix = matrix
    for row in 0..<count {
      let source = unsafe matrix.row(start + row)
      for column in 0..<start + row {
        unsafe values[row * stride + column] = Float(source[column])
      }
    }
    return QuantizedMatrix(
      format: format, bytes: products.bytes(count: 4 * count * stride), rowCount: count,
      columnCount: stride)
  }

  /// Σ over rows d of d_i · (row i of the band · d), with i the band's columns from `start` on.
  private func product(_ rows: FloatRows, _ band: QuantizedMatrix, _ start: Int) -> Double {
    let bytes = unsafe ByteView(
      UnsafeMutableRawPointer(rows.storage.pointer), count: 4 * rows.rowCount * rows.stride)
    let results = FloatRows(
      columns.floats(count: rows.rowCount * band.rowCount), rowCount: rows.rowCount,
      columnCount: band.rowCount)
    list.removeAll()
    list.append(
      band,
      ActivationRows(
        bytes, rowCount: rows.rowCount, columnCount: rows.stride, form: .f32),
      into: results)
    team.multiply(list)
    var sum = 0.0
    for row in 0..<rows.rowCount {
      let (values, factors) = (rows.row(row), results.row(row))
      for index in 0..<band.rowCount {
        sum += Double(values[start + index]) * Double(factors[index])
      }
    }
    return sum
  }
}
