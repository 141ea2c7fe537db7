import MoECompression
import MoECore
import MoEKernels
import Testing

/// The factor that GPTQ wants, by plain loops, by LAPACK, and by one that is wrong.
@Suite struct FactorizerTests {
  /// A Aᵀ + 1 with A random and more rows than columns.
  static func positive(_ count: Int, seed: UInt64) -> NaiveAlgebra.Matrix {
    var random = SeededGenerator(seed: seed)
    let factor = (0..<count).map { _ in (0..<count + 3).map { _ in random.nextGaussian() } }
    var matrix = NaiveAlgebra.product(factor, NaiveAlgebra.transposed(factor))
    for index in 0..<count { matrix[index][index] += 1 }
    return matrix
  }

  /// U of `factorInverse`; marks what lies below the diagonal to see that it stays.
  static func factor(
    _ matrix: NaiveAlgebra.Matrix, by factorizer: any CholeskyFactorizer, workerCount: Int = 2
  ) throws -> NaiveAlgebra.Matrix {
    let count = matrix.count
    var values = matrix.enumerated().flatMap { row, values in
      values.enumerated().map { $0.offset < row ? 12345 : $0.element }
    }
    let team = try WorkerTeam(workerCount: workerCount)
    try unsafe values.withUnsafeMutableBufferPointer { buffer in
      let start = try unsafe #require(buffer.baseAddress)
      try factorizer.factorInverse(
        unsafe DoubleBlock(start, stride: count, rowCount: count, columnCount: count), team: team)
    }
    for row in 0..<count {
      for column in 0..<row {
        #expect(values[row * count + column] == 12345, "below the diagonal")
        values[row * count + column] = 0
      }
    }
    return (0..<count).map { Array(values[$0 * count..<($0 + 1) * count]) }
  }

  @Test(arguments: [1, 2, 3, 63, 64, 65, 130, 200])
  func plainLoopsFactorTheInverse(_ count: Int) throws {
    let matrix = Self.positive(count, seed: UInt64(count))
    let upper = try Self.factor(matrix, by: PlainCholesky())
    let found = NaiveAlgebra.product(NaiveAlgebra.transposed(upper), upper)
    let wanted = NaiveAlgebra.inverse(matrix)
    let scale = NaiveAlgebra.largest(wanted)
    for row in 0..<count {
      #expect(upper[row][row] > 0)
      for column in 0..<count {
        #expect(abs(found[row][column] - wanted[row][column]) <= 1e-11 * scale)
      }
    }
  }

  @Test func workersDoNotChangeTheFactor() throws {
    let matrix = Self.positive(150, seed: 5)
    let alone = try Self.factor(matrix, by: PlainCholesky(), workerCount: 1)
    #expect(try Self.factor(matrix, by: PlainCholesky(), workerCount: 3) == alone)
  }

  @Test func whatIsNotPositiveHasNoFactor() throws {
    var matrix = Self.positive(100, seed: 6)
    matrix[40][40] = -1
    #expect(throws: FactorError.self) { try Self.factor(matrix, by: PlainCholesky()) }
    matrix[40][40] = .nan
    #expect(throws: FactorError.self) { try Self.factor(matrix, by: PlainCholesky()) }
    let zeros = (0..<4).map { _ in [Double](repeating: 0, count: 4) }
    #expect(throws: FactorError.notPositiveDefinite(column: 3)) {
      try Self.factor(zeros, by: PlainCholesky())
    }
  }

  #if Compression
    @Test(arguments: [1, 2, 64, 65, 200, 400])
    func lapackFactorsAsPlainLoopsDo(_ count: Int) throws {
      let matrix = Self.positive(count, seed: UInt64(count))
      let plain = try Self.factor(matrix, by: PlainCholesky())
      let found = try Self.factor(matrix, by: LapackCholesky())
      let scale = NaiveAlgebra.largest(plain)
      for row in 0..<count {
        for column in 0..<count {
          #expect(abs(found[row][column] - plain[row][column]) <= 1e-11 * scale)
        }
      }
    }

    @Test func lapackRefusesWhatIsNotPositive() throws {
      var matrix = Self.positive(100, seed: 6)
      matrix[40][40] = -1
      #expect(throws: FactorError.self) { try Self.factor(matrix, by: LapackCholesky()) }
    }
  #endif

  /// The library of this build is right here, or has been replaced with a note that says why.
  @Test func theBuildsLibraryIsTried() throws {
    let team = try WorkerTeam(workerCount: 2)
    let checked = CheckedFactorizer(team: team)
    #expect((checked.note == nil) == (checked.factorizer.name != "plain loops" || !Self.hasLibrary))
  }

  private static var hasLibrary: Bool {
    #if Compression
      true
    #else
      false
    #endif
  }

  /// Right up to one element, or not at all, or failing.
  struct Wrong: CholeskyFactorizer {
    enum Fault: CaseIterable { case oneElement, scaled, notANumber, failing }

    let fault: Fault
    let name = "a broken library"

    func factorInverse(_ matrix: DoubleBlock, team: WorkerTeam) throws(FactorError) {
      if fault == .failing { throw .notPositiveDefinite(column: 0) }
      try PlainCholesky().factorInverse(matrix, team: team)
      let (row, column) = (matrix.rowCount / 3, matrix.rowCount / 2)
      switch fault {
      case .oneElement: matrix[row, column] *= 1.5
      case .scaled: for index in 0..<matrix.rowCount { matrix[index, index] *= 1.01 }
      case .notANumber: matrix[row, column] = .nan
      case .failing: break
      }
    }
  }

  @Test(arguments: Wrong.Fault.allCases)
  func aWrongLibraryIsReplaced(_ fault: Wrong.Fault) throws {
    let team = try WorkerTeam(workerCount: 2)
    let checked = CheckedFactorizer(Wrong(fault: fault), team: team)
    #expect(checked.factorizer is PlainCholesky)
    let note = try #require(checked.note)
    #expect(note.contains("a broken library computes wrongly"))
  }

  /// A library that is right on the matrix it was tried with, and wrong on another.
  @Test(arguments: [Wrong.Fault.scaled, .notANumber, .failing])
  func aWrongFactorIsMadeAgain(_ fault: Wrong.Fault) throws {
    let team = try WorkerTeam(workerCount: 1)
    let rows = try OwnedRows(
      (0..<40 * 16).map { Float(($0 * 7919) % 11) - 5 }, columnCount: 16)
    let hessian = try Hessian(columnCount: 16, team: team)
    hessian.add(rows.rows)
    let damping = hessian.damping(0.1)
    #expect(try hessian.factor(damping: damping, by: Wrong(fault: fault)))
    #expect(try !hessian.factor(damping: damping, by: PlainCholesky()))
    withExtendedLifetime(rows) {}
  }
}
