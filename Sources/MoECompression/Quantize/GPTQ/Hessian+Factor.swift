import MoEKernels

extension Hessian {
  /// What is added to the diagonal: a share of its mean, so that rarely used directions do not
  /// count for nothing; never less than `dampingMin`.
  package func damping(_ share: Double) -> Double {
    finish()
    let mean = diagonal.reduce(0, +) / Double(columnCount)
    return max(share * mean, Self.dampingMin)
  }

  private static let dampingMin = 1e-6

  /// Puts the factor U of the damped H into the upper triangle: (H + damping)⁻¹ = Uᵀ U.
  ///
  /// Each factor is tried on a vector; one that is wrong is made again by plain loops.
  ///
  /// - Returns: Whether plain loops had to mend it.
  package func factor(
    damping: Double, by factorizer: any CholeskyFactorizer
  ) throws(FactorError) -> Bool {
    finish()
    fillUpperTriangle(damping)
    var failure: FactorError?
    do throws(FactorError) {
      try factorizer.factorInverse(matrix, team: team)
      let residual = residual(damping)
      // A NaN is wrong, too.
      if residual <= Self.residualMax { return false }
      failure = .wrong(residual: residual)
    } catch {
      failure = error
    }
    if factorizer is PlainCholesky, let failure { throw failure }
    fillUpperTriangle(damping)
    try PlainCholesky().factorInverse(matrix, team: team)
    let residual = residual(damping)
    guard residual <= Self.residualMax else { throw .wrong(residual: residual) }
    return true
  }

  /// What a factor of a matrix with a damping of 1e-6 of its largest element still keeps to; a
  /// wrong one misses it by much.
  private static let residualMax = 1e-3

  private func fillUpperTriangle(_ damping: Double) {
    let matrix = matrix
    let blocks = PlainCholesky.blocks(columnCount)
    team.forEachPiece(count: blocks.count, cost: columnCount * columnCount / 2) { piece, _ in
      // Square by square: a column of a large matrix is a walk through its memory.
      for columns in blocks[piece...] {
        for row in blocks[piece] {
          for column in columns where column > row { matrix[row, column] = matrix[column, row] }
        }
      }
      for column in blocks[piece] { matrix[column, column] = diagonal[column] + damping }
    }
  }

  /// How far U (H + damping) Uᵀ x is from x, relative to x, for a vector of ones with either sign.
  private func residual(_ damping: Double) -> Double {
    let matrix = matrix
    let count = columnCount
    let x = (0..<count).map { ($0 &* 0x9E37_79B9) & 0x8000 == 0 ? 1.0 : -1.0 }
    var y = Array(repeating: 0.0, count: count)
    for row in 0..<count {
      let values = unsafe matrix.row(row)
      for column in row..<count { unsafe y[column] += values[column] * x[row] }
    }
    var z = (0..<count).map { (diagonal[$0] + damping) * y[$0] }
    for row in 0..<count {
      let values = unsafe matrix.row(row)
      var sum = 0.0
      for column in 0..<row {
        unsafe sum += values[column] * y[column]
        unsafe z[column] += values[column] * y[row]
      }
      z[row] += sum
    }
    var square = 0.0
    for row in 0..<count {
      let values = unsafe matrix.row(row)
      var sum = 0.0
      for column in row..<count { unsafe sum += values[column] * z[column] }
      square += (sum - x[row]) * (sum - x[row])
    }
    return (square / Double(count)).squareRoot()
  }
}
