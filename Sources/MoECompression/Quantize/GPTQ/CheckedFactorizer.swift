import MoECore
package import MoEKernels

/// The factorizer of this build, tried out when it is made.
///
/// Some builds of OpenBLAS are wrong on some processors. So its factor of a random matrix is held
/// against that of plain loops, which then take its place where they differ; and every factor that
/// is used is tried once more (`Hessian.factor`).
package struct CheckedFactorizer: Sendable {
  package let factorizer: any CholeskyFactorizer
  /// Why plain loops took the place of a library; nil where they did not.
  package let note: String?

  /// Large enough that a library cuts it up for its threads.
  private static let columnCount = 320
  private static let differenceMax = 1e-9

  /// That of the library where the build has one, else plain loops.
  package init(team: WorkerTeam) {
    #if Compression
      self.init(LapackCholesky(), team: team)
    #else
      self.init(nil, team: team)
    #endif
  }

  /// - Parameter candidate: Used if it computes what plain loops do.
  package init(_ candidate: (any CholeskyFactorizer)?, team: WorkerTeam) {
    guard let candidate else {
      (factorizer, note) = (PlainCholesky(), nil)
      return
    }
    let problem = Self.problem(of: candidate, team)
    factorizer = problem == nil ? candidate : PlainCholesky()
    note = problem.map {
      "\(candidate.name) computes wrongly on this processor (\($0)), so plain loops factor the "
        + "matrices, which takes longer; a newer version may be right"
    }
  }

  private static func problem(
    of candidate: any CholeskyFactorizer, _ team: WorkerTeam
  ) -> String? {
    let matrix = randomMatrix()
    guard let expected = factor(matrix, PlainCholesky(), team) else { return nil }
    guard let found = factor(matrix, candidate, team) else {
      return "it finds no factor where there is one"
    }
    var largest = 0.0
    var difference = 0.0
    for row in 0..<columnCount {
      for column in row..<columnCount {
        let place = row * columnCount + column
        largest = max(largest, expected[place].magnitude)
        // In this order a NaN stays.
        difference = max((found[place] - expected[place]).magnitude, difference)
        if found[place].isNaN { return "its factor has elements that are no numbers" }
      }
    }
    return difference <= differenceMax * largest
      ? nil : "its factor is off by \(Float(difference / largest)) of the largest element"
  }

  /// A Aᵀ + 1 with A random.
  private static func randomMatrix() -> [Double] {
    let count = columnCount
    var random = SeededGenerator(seed: 1)
    let values = (0..<count * count).map { _ in random.nextGaussian() }
    var matrix = Array(repeating: 0.0, count: count * count)
    for row in 0..<count {
      for column in 0..<count {
        var sum = row == column ? 1.0 : 0.0
        for inner in 0..<count {
          sum += values[row * count + inner] * values[column * count + inner]
        }
        matrix[row * count + column] = sum
      }
    }
    return matrix
  }

  /// Nil where there is none.
  private static func factor(
    _ matrix: [Double], _ factorizer: any CholeskyFactorizer, _ team: WorkerTeam
  ) -> [Double]? {
    var matrix = matrix
    let count = columnCount
    let isFactored = unsafe matrix.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return false }
      let block = unsafe DoubleBlock(start, stride: count, rowCount: count, columnCount: count)
      return (try? factorizer.factorInverse(block, team: team)) != nil
    }
    return isFactored ? matrix : nil
  }
}
