import MoEKernels

/// Replaces an upper triangular matrix by its inverse, block row by block row from the last: with
/// V₁₁ the block on the diagonal and V₁₂ what is right of it,
///
///     U₁₁ = V₁₁⁻¹    U₁₂ = -V₁₁⁻¹ · V₁₂ · U₂₂
struct TriangleInverse {
  let matrix: DoubleBlock
  let team: WorkerTeam
  let workers: [CholeskyWorker]

  func run() {
    let count = matrix.columnCount
    let blocks = PlainCholesky.blocks(count)
    // V₁₂, which is overwritten while it is still needed.
    let memory = UnsafeMutablePointer<Double>.allocate(capacity: PlainCholesky.blockCount * count)
    defer { unsafe memory.deallocate() }
    for number in blocks.indices.reversed() {
      let rows = blocks[number]
      invertDiagonal(rows)
      let right = unsafe DoubleBlock(
        memory, stride: count, rowCount: rows.count, columnCount: count)
      for row in 0..<rows.count {
        unsafe right.row(row).update(from: matrix.row(rows.lowerBound + row), count: count)
      }
      let later = blocks[(number + 1)...]
      team.forEachPiece(
        count: later.count,
        cost: rows.count * (count - rows.upperBound) * (count - rows.upperBound) / 4
      ) { piece, worker in
        fill(rows, later[later.startIndex + piece], right, later, workers[worker])
      }
    }
  }

  /// Row by row from the last: a row of the inverse is made of the rows below.
  private func invertDiagonal(_ range: Range<Int>) {
    for row in range.reversed() {
      let inverse = 1 / matrix[row, row]
      for column in (row + 1..<range.upperBound).reversed() {
        var sum = 0.0
        for inner in row + 1...column { sum += matrix[row, inner] * matrix[inner, column] }
        matrix[row, column] = -inverse * sum
      }
      matrix[row, row] = inverse
    }
  }

  /// U₁₂ in the columns of one block.
  private func fill(
    _ rows: Range<Int>, _ columns: Range<Int>, _ right: DoubleBlock,
    _ later: ArraySlice<Range<Int>>, _ worker: CholeskyWorker
  ) {
    let sums = worker.square(0, rowCount: rows.count, columnCount: columns.count)
    sums.fill(with: 0)
    for inner in later where inner.lowerBound <= columns.lowerBound {
      let factor =
        inner == columns
        ? worker.upperTriangle(of: matrix, columns) : matrix.block(inner, columns)
      worker.product.subtract(right.block(0..<rows.count, inner), factor, from: sums)
    }
    for row in 0..<rows.count {
      for column in 0..<columns.count {
        var sum = 0.0
        for inner in row..<rows.count {
          sum += matrix[rows.lowerBound + row, rows.lowerBound + inner] * sums[inner, column]
        }
        matrix[rows.lowerBound + row, columns.lowerBound + column] = sum
      }
    }
  }
}
