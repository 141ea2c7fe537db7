import MoECore
package import MoEKernels

/// A feed-forward network that every token uses: all of a dense layer, or an expert that is
/// shared beside the routed ones (DeepSeekMoE, arXiv 2401.06066, section 3.2).
package struct DenseFeedForwardDescription: Sendable, Equatable {
  package enum Kind: Sendable, Equatable {
    case dense
    /// - Parameter isGated: Whether the result is scaled by the sigmoid of a score of its own
    ///   (Qwen1.5-MoE).
    case shared(isGated: Bool)
  }

  package var kind: Kind
  /// Rows of the gate and up projections.
  package var width: Int
  /// There is a gate where it has one.
  package var activation: Activation
  /// The name of the norm after it, without the layer's prefix and `.weight`; nil: none.
  package var postNormName: String?

  private var nameSuffix: String { kind == .dense ? "" : "_shexp" }
}

extension TensorRole {
  package static let denseGate = TensorRole(rawValue: "gate projection")
  package static let denseUp = TensorRole(rawValue: "up projection")
  package static let denseDown = TensorRole(rawValue: "down projection")
  package static let sharedExpertGate = TensorRole(rawValue: "shared expert's gate")
  package static let densePostNorm = TensorRole(rawValue: "norm after the dense part")
}

extension DenseFeedForwardDescription {
  func addTensors(to table: inout TensorTable, _ model: ModelDescription) {
    let (suffix, hiddenSize) = (nameSuffix, model.hiddenSize)
    if activation.isGated {
      table.matrix(.denseGate, "ffn_gate\(suffix).weight", rows: width, columns: hiddenSize)
    }
    table.matrix(.denseUp, "ffn_up\(suffix).weight", rows: width, columns: hiddenSize)
    table.matrix(.denseDown, "ffn_down\(suffix).weight", rows: hiddenSize, columns: width)
    if case .shared(isGated: true) = kind {
      table.matrix(.sharedExpertGate, "ffn_gate_inp_shexp.weight", rows: 1, columns: hiddenSize)
    }
    if let postNormName {
      table.norm(.densePostNorm, postNormName, count: hiddenSize, model.normKind)
    }
  }
}

/// What a tile of rows needs of scratch memory.
struct DenseFeedForwardScratch: Sendable {
  /// (row, width)
  let gate: ScratchRegion
  let up: ScratchRegion
  /// (row, hiddenSize)
  let down: ScratchRegion
  /// (row, 1)
  let score: ScratchRegion

  init(
    _ description: DenseFeedForwardDescription, hiddenSize: Int, in arena: inout ScratchArena
  ) {
    let rowCount = arena.tileRowCount
    gate = arena.rows(rowCount, columns: description.width)
    up = arena.rows(rowCount, columns: description.width)
    down = arena.rows(rowCount, columns: hiddenSize)
    score = arena.rows(rowCount, columns: 1)
  }
}

/// sum += down(activation(gate(x), up(x))), or down(activation(up(x))) where nothing gates up;
/// scaled by sigmoid(score(x)) where it is shared and gated.
struct DenseFeedForwardBlock {
  private let description: DenseFeedForwardDescription
  private let scratch: DenseFeedForwardScratch
  private let gate: QuantizedMatrix?
  private let up: QuantizedMatrix
  private let down: QuantizedMatrix
  /// (1, hiddenSize)
  private let scoring: QuantizedMatrix?
  private let postNorm: Norm?

  init(
    _ description: DenseFeedForwardDescription, weights: LoadedTensors,
    scratch: DenseFeedForwardScratch, _ model: ModelDescription
  ) {
    self.description = description
    self.scratch = scratch
    gate = weights.optionalMatrix(.denseGate)
    up = weights.matrix(.denseUp)
    down = weights.matrix(.denseDown)
    scoring = weights.optionalMatrix(.sharedExpertGate)
    postNorm = description.postNormName.map { _ in Norm(.densePostNorm, in: weights, model) }
  }

  /// - Parameters:
  ///   - normed: (row, hiddenSize): what is read.
  ///   - sum: (row, hiddenSize): what is added to.
  func callAsFunction(_ normed: FloatRows, into sum: FloatRows, _ decoder: Decoder) {
    let (team, count) = (decoder.team, sum.rowCount)
    let gateRows = decoder.scratch.rows(scratch.gate, count: count)
    let upRows = decoder.scratch.rows(scratch.up, count: count)
    let downRows = decoder.scratch.rows(scratch.down, count: count)
    let scores = decoder.scratch.rows(scratch.score, count: count)
    decoder.beginProducts(of: normed)
    if let gate { decoder.append(gate, into: gateRows) }
    decoder.append(up, into: upRows)
    if let scoring { decoder.append(scoring, into: scores) }
    decoder.multiply(as: .gateUp)
    team.activate(description.activation, gate: gate == nil ? nil : gateRows, up: upRows)
    decoder.beginProducts(of: gate == nil ? upRows : gateRows)
    decoder.append(down, into: downRows)
    decoder.multiply(as: .down)
    postNorm?(downRows, into: downRows, team)
    if scoring != nil {
      team.addGated(downRows, gates: scores, to: sum)
    } else {
      team.add(downRows, scale: 1, to: sum)
    }
  }
}
