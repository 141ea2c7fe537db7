/// Matrices of doubles as the factoring and the quantiser multiply them: small blocks whose results
/// stay in registers. Rows lie one after the other, `stride` elements apart.
@safe package struct DoubleBlock {
  package let start: UnsafeMutablePointer<Double>
  package let stride: Int
  package let rowCount: Int
  package let columnCount: Int

  /// Whoever makes one guarantees that the memory is there while it is used.
  package init(
    _ start: UnsafeMutablePointer<Double>, stride: Int, rowCount: Int, columnCount: Int
  ) {
    unsafe self.start = start
    self.stride = stride
    self.rowCount = rowCount
    self.columnCount = columnCount
  }

  package subscript(row: Int, column: Int) -> Double {
    get {
      assert(row >= 0 && row < rowCount && column >= 0 && column < columnCount)
      return unsafe start[row * stride + column]
    }
    nonmutating set {
      assert(row >= 0 && row < rowCount && column >= 0 && column < columnCount)
      unsafe start[row * stride + column] = newValue
    }
  }

  package func row(_ row: Int) -> UnsafeMutablePointer<Double> { unsafe start + row * stride }

  /// A part of it.
  package func block(_ rows: Range<Int>, _ columns: Range<Int>) -> DoubleBlock {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= rowCount)
    precondition(columns.lowerBound >= 0 && columns.upperBound <= columnCount)
    return unsafe DoubleBlock(
      start + rows.lowerBound * stride + columns.lowerBound, stride: stride, rowCount: rows.count,
      columnCount: columns.count)
  }
}

extension DoubleBlock {
  func fill(with value: Double) {
    for row in 0..<rowCount { unsafe self.row(row).update(repeating: value, count: columnCount) }
  }
}
