#if Compression
  private import CLAPACK
  package import MoEKernels

  /// The factor by LAPACK as OpenBLAS has it: Cholesky, inverse, Cholesky of the inverse.
  ///
  /// The upper triangle of rows is to LAPACK, which goes by columns, the lower one.
  package struct LapackCholesky: CholeskyFactorizer {
    package let name = "OpenBLAS"

    package init() {}

    package func factorInverse(_ matrix: DoubleBlock, team: WorkerTeam) throws(FactorError) {
      precondition(matrix.stride == matrix.columnCount && matrix.rowCount == matrix.columnCount)
      openblas_set_num_threads(Int32(clamping: team.workerCount))
      var count = Int32(clamping: matrix.columnCount)
      var info: Int32 = 0
      unsafe dpotrf_("L", &count, matrix.start, &count, &info, 1)
      if info == 0 { unsafe dpotri_("L", &count, matrix.start, &count, &info, 1) }
      if info == 0 { unsafe dpotrf_("L", &count, matrix.start, &count, &info, 1) }
      guard info == 0 else { throw .notPositiveDefinite(column: Int(info) - 1) }
    }
  }
#endif
