package import MoEKernels

/// Computes what GPTQ wants of H: the upper triangular U with H⁻¹ = Uᵀ U.
package protocol CholeskyFactorizer: Sendable {
  var name: String { get }

  /// Replaces the upper triangle of a symmetric positive definite matrix, diagonal included, by
  /// that of U. What is below the diagonal is neither read nor written.
  func factorInverse(_ matrix: DoubleBlock, team: WorkerTeam) throws(FactorError)
}

/// Why a matrix has no factor.
package enum FactorError: Error, Equatable, CustomStringConvertible {
  /// It is not positive definite: to whom the number of the column means something.
  case notPositiveDefinite(column: Int)
  /// The factor that came out is not the matrix's.
  case wrong(residual: Double)

  package var description: String {
    switch self {
    case .notPositiveDefinite(let column):
      "the inputs' matrix of products is not positive definite (column \(column)); "
        + "give a larger damping"
    case .wrong(let residual):
      "the factor of the inputs' matrix of products is wrong by \(residual); give a larger damping"
    }
  }
}
