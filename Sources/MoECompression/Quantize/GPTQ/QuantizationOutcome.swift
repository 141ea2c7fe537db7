/// How a matrix came to be what it is.
package enum RoundingMethod: Sendable, Equatable {
  case gptq
  /// To the nearest value.
  case nearest(NearestReason)

  package enum NearestReason: Sendable, Equatable, CustomStringConvertible {
    /// Somebody wanted it.
    case chosen
    /// Too few rows of calibration text went through the expert.
    case fewTokens(Int, wanted: Int)
    /// The rows' matrix of products has no usable factor.
    case factor(FactorError)

    package var description: String {
      switch self {
      case .chosen: "asked for"
      case .fewTokens(let count, let wanted):
        "\(count) tokens of the calibration text take it, fewer than \(wanted)"
      case .factor(let error): error.description
      }
    }
  }
}

/// What quantising a matrix has cost: losses are what its results lose on the calibration rows, as
/// sums of squares, and 0 where there were none.
package struct QuantizationOutcome: Sendable, Equatable {
  package internal(set) var method: RoundingMethod
  package internal(set) var tokenCount = 0
  /// Had every weight been rounded to the nearest value.
  package internal(set) var nearestLoss = 0.0
  package internal(set) var loss = 0.0
  /// Σ of squares of the matrix's results on these rows, which makes losses comparable.
  package internal(set) var signal = 0.0
  /// Of the weights: Σ of squares, and of differences.
  package internal(set) var weightSquare = 0.0
  package internal(set) var weightLoss = 0.0
  /// Share of weights that are 0 afterwards.
  package internal(set) var zeroShare = 0.0
  package internal(set) var seconds = 0.0
  /// Whether a library's factor was wrong and was made again.
  package internal(set) var wasMended = false
}
