import MoECore
import MoEKernels

/// A norm of whole rows, as a model has it.
struct Norm {
  private let kind: NormKind
  private let epsilon: Float
  /// (hiddenSize)
  private let weight: FloatView?
  private let bias: FloatView?

  init(_ role: TensorRole, in weights: LoadedTensors, _ model: ModelDescription) {
    kind = model.normKind
    epsilon = model.normEpsilon
    weight = weights.vector(role)
    bias = weights.optionalVector(role.bias)
  }

  /// - Parameters:
  ///   - rows: (row, hiddenSize)
  ///   - result: The same; may be `rows`.
  func callAsFunction(_ rows: FloatRows, into result: FloatRows, _ team: WorkerTeam) {
    switch kind {
    case .rms: team.rmsNorm(rows, weight: weight, epsilon: epsilon, into: result)
    case .layer: team.layerNorm(rows, weight: weight, bias: bias, epsilon: epsilon, into: result)
    }
  }
}

/// Adds what a block gives to the residual stream.
struct ResidualJoin {
  private let norm: Norm?
  private let scale: Float

  /// - Parameter role: That of the norm, where the join has one.
  init(_ join: Join, role: TensorRole, in weights: LoadedTensors, _ model: ModelDescription) {
    norm = join.normName.map { _ in Norm(role, in: weights, model) }
    scale = join.scale
  }

  /// - Parameters:
  ///   - result: (row, hiddenSize): overwritten where it is normed.
  func callAsFunction(_ result: FloatRows, to hidden: FloatRows, _ team: WorkerTeam) {
    norm?(result, into: result, team)
    team.add(result, scale: scale, to: hidden)
  }
}
