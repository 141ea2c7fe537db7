package import MoEKernels

/// The factor by loops of our own: H = V Vᵀ with V upper triangular, from the last column to the
/// first, and U = V⁻¹.
///
/// Two steps instead of LAPACK's three, in blocks of columns whose products the team shares. What
/// comes out does not depend on the number of workers.
package struct PlainCholesky: CholeskyFactorizer {
  package let name = "plain loops"

  package init() {}

  static let blockCount = 64

  package func factorInverse(_ matrix: DoubleBlock, team: WorkerTeam) throws(FactorError) {
    let workers = (0..<team.workerCount).map { _ in CholeskyWorker() }
    try factor(matrix, team, workers)
    TriangleInverse(matrix: matrix, team: team, workers: workers).run()
  }

  /// Blocks of columns: 0 ..< 64, 64 ..< 128 and so on.
  static func blocks(_ count: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: blockCount).map { $0..<min($0 + blockCount, count) }
  }

  // MARK: - V

  private func factor(
    _ matrix: DoubleBlock, _ team: WorkerTeam, _ workers: [CholeskyWorker]
  ) throws(FactorError) {
    let blocks = Self.blocks(matrix.columnCount)
    for number in blocks.indices.reversed() {
      let columns = blocks[number]
      for column in columns.reversed() {
        let values = unsafe matrix.row(column)
        var rest = unsafe values[column]
        for inner in column + 1..<columns.upperBound {
          unsafe rest -= values[inner] * values[inner]
        }
        guard rest > 0, rest.isFinite else { throw .notPositiveDefinite(column: column) }
        unsafe values[column] = rest.squareRoot()
        Self.divide(matrix, rows: columns.lowerBound..<column, by: column, columns)
      }
      let cost = columns.lowerBound * Self.blockCount * Self.blockCount / 2
      team.forEachPiece(count: number, cost: cost) { piece, _ in
        for column in columns.reversed() {
          Self.divide(matrix, rows: blocks[piece], by: column, columns)
        }
      }
      team.forEachPiece(count: number, cost: cost * columns.lowerBound / Self.blockCount) {
        piece, worker in
        workers[worker].subtract(matrix, rows: blocks[piece], blocks[..<number], columns)
      }
    }
  }

  /// One column of V, in some rows: what is left of H's, divided by the diagonal.
  private static func divide(
    _ matrix: DoubleBlock, rows: Range<Int>, by column: Int, _ columns: Range<Int>
  ) {
    let divisor = unsafe matrix.row(column)
    for row in rows {
      let values = unsafe matrix.row(row)
      var rest = unsafe values[column]
      for inner in column + 1..<columns.upperBound { unsafe rest -= values[inner] * divisor[inner] }
      unsafe values[column] = rest / divisor[column]
    }
  }
}

/// One worker's memory: a square of a block's size, and a product's.
@safe final class CholeskyWorker {
  let product = DoubleProduct()
  private let memory: UnsafeMutablePointer<Double>

  init() {
    unsafe memory = .allocate(capacity: 2 * PlainCholesky.blockCount * PlainCholesky.blockCount)
  }

  deinit { unsafe memory.deallocate() }

  /// One of two squares.
  func square(_ number: Int, rowCount: Int, columnCount: Int) -> DoubleBlock {
    let count = PlainCholesky.blockCount
    precondition(number >= 0 && number < 2 && rowCount <= count && columnCount <= count)
    return unsafe DoubleBlock(
      memory + number * count * count, stride: count, rowCount: rowCount, columnCount: columnCount)
  }

  /// matrix[rows, others] -= V[rows, columns] · V[others, columns]ᵀ, above the diagonal alone.
  func subtract(
    _ matrix: DoubleBlock, rows: Range<Int>, _ others: ArraySlice<Range<Int>>,
    _ columns: Range<Int>
  ) {
    let left = matrix.block(rows, columns)
    // The rows' own square is half below the diagonal, where H stays.
    let square = square(0, rowCount: rows.count, columnCount: rows.count)
    square.fill(with: 0)
    product.subtract(left, left, isTransposed: true, from: square)
    for row in 0..<rows.count {
      for column in row..<rows.count {
        matrix[rows.lowerBound + row, rows.lowerBound + column] += square[row, column]
      }
    }
    let last = others.last?.upperBound ?? rows.upperBound
    guard rows.upperBound < last else { return }
    let right = rows.upperBound..<last
    product.subtract(
      left, matrix.block(right, columns), isTransposed: true, from: matrix.block(rows, right))
  }

  /// A square with zeros below its diagonal.
  func upperTriangle(of matrix: DoubleBlock, _ range: Range<Int>) -> DoubleBlock {
    let copy = square(1, rowCount: range.count, columnCount: range.count)
    copy.fill(with: 0)
    for row in 0..<range.count {
      for column in row..<range.count {
        copy[row, column] = matrix[range.lowerBound + row, range.lowerBound + column]
      }
    }
    return copy
  }
}
