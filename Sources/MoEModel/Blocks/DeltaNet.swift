import MoECore
package import MoEKernels

/// Linear attention by the gated delta rule (Gated DeltaNet, arXiv 2412.06464): each head has a
/// memory from keys to values, which decays and is corrected by every row. A short convolution runs
/// over queries, keys and values first.
package struct DeltaNetDescription: Sendable, Equatable {
  /// How a file has the projections of the normed rows.
  package enum Storage: Sendable, Equatable {
    /// Queries, keys and values together; gates, betas and alphas each by themselves.
    case separate
    /// The same, with betas and alphas together, by key head.
    case fusedTimeSteps
    /// Queries, keys, values and gates together by key head, and so betas and alphas, as the model
    /// was published.
    case fused
  }

  package var keyHeadCount: Int
  /// A multiple of `keyHeadCount`: heads of values, and of memories.
  package var valueHeadCount: Int
  package var keyDimension: Int
  package var valueDimension: Int
  /// Rows that the convolution sees.
  package var tapCount: Int
  /// Which key head a value head has.
  package var keySharing: RecurrenceRule.KeySharing
  package var storage = Storage.separate
  /// The name of the norm before it, without the layer's prefix and `.weight`.
  package var normName = "attn_norm"

  package var keyWidth: Int { keyHeadCount * keyDimension }
  package var valueWidth: Int { valueHeadCount * valueDimension }
  /// Queries, keys and values side by side.
  package var convolvedWidth: Int { 2 * keyWidth + valueWidth }

  package var recurrence: RecurrenceShape {
    RecurrenceShape(
      headCount: valueHeadCount, keyHeadCount: keyHeadCount, keyDimension: keyDimension,
      valueDimension: valueDimension)
  }

  package var state: RecurrentState {
    RecurrentState(
      convolution: ConvolutionShape(channelCount: convolvedWidth, tapCount: tapCount),
      recurrence: recurrence)
  }
}

extension TensorRole {
  package static let mixedInput = TensorRole(rawValue: "projection of queries, keys and values")
  package static let outputGate = TensorRole(rawValue: "projection of output gates")
  package static let beta = TensorRole(rawValue: "projection of betas")
  package static let alpha = TensorRole(rawValue: "projection of alphas")
  package static let fusedTimeSteps = TensorRole(rawValue: "projection of betas and alphas")
  package static let convolution = TensorRole(rawValue: "convolution")
  package static let timeStepBias = TensorRole(rawValue: "bias of time steps")
  package static let decayRate = TensorRole(rawValue: "decay rates")
  package static let recurrenceNorm = TensorRole(rawValue: "norm of the recurrence's output")
  package static let recurrenceOutput = TensorRole(rawValue: "recurrence's output projection")
}

extension DeltaNetDescription {
  func addTensors(to table: inout TensorTable, hiddenSize: Int) {
    table.vector(.attentionNorm, normName + ".weight", count: hiddenSize)
    switch storage {
    case .separate, .fusedTimeSteps:
      table.matrix(.mixedInput, "attn_qkv.weight", rows: convolvedWidth, columns: hiddenSize)
      table.matrix(.outputGate, "attn_gate.weight", rows: valueWidth, columns: hiddenSize)
    case .fused:
      table.matrix(
        .mixedInput, "ssm_in.weight", rows: convolvedWidth + valueWidth, columns: hiddenSize)
    }
    switch storage {
    case .separate:
      table.matrix(.beta, "ssm_beta.weight", rows: valueHeadCount, columns: hiddenSize)
      table.matrix(.alpha, "ssm_alpha.weight", rows: valueHeadCount, columns: hiddenSize)
    case .fusedTimeSteps, .fused:
      table.matrix(.fusedTimeSteps, "ssm_ba.weight", rows: 2 * valueHeadCount, columns: hiddenSize)
    }
    table.vector(.convolution, "ssm_conv1d.weight", dimensions: [tapCount, convolvedWidth])
    table.vector(.timeStepBias, "ssm_dt.bias", count: valueHeadCount)
    table.vector(.decayRate, "ssm_a", count: valueHeadCount)
    table.vector(.recurrenceNorm, "ssm_norm.weight", count: valueDimension)
    table.matrix(.recurrenceOutput, "ssm_out.weight", rows: hiddenSize, columns: valueWidth)
  }
}

/// What a tile of rows needs of scratch memory.
struct DeltaNetScratch: Sendable {
  /// (row, hiddenSize): after the norm; then the projected output.
  let normed: ScratchRegion
  /// (row, convolvedWidth)
  let mixed: ScratchRegion
  /// (row, valueWidth)
  let gate: ScratchRegion
  let recurred: ScratchRegion
  /// (row, valueHeadCount)
  let beta: ScratchRegion
  let alpha: ScratchRegion
  let decay: ScratchRegion
  /// Projections as the file has them, where they are fused.
  let fusedInput: ScratchRegion?
  let fusedTimeSteps: ScratchRegion?

  init(_ description: DeltaNetDescription, hiddenSize: Int, in arena: inout ScratchArena) {
    let (rowCount, heads) = (arena.tileRowCount, description.valueHeadCount)
    let (convolved, values) = (description.convolvedWidth, description.valueWidth)
    normed = arena.rows(rowCount, columns: hiddenSize)
    mixed = arena.rows(rowCount, columns: convolved)
    gate = arena.rows(rowCount, columns: values)
    recurred = arena.rows(rowCount, columns: values)
    beta = arena.rows(rowCount, columns: heads)
    alpha = arena.rows(rowCount, columns: heads)
    decay = arena.rows(rowCount, columns: heads)
    fusedInput =
      description.storage == .fused ? arena.rows(rowCount, columns: convolved + values) : nil
    fusedTimeSteps =
      description.storage == .separate ? nil : arena.rows(rowCount, columns: 2 * heads)
  }
}

/// output(norm(recurrence(convolution(mixed(x)))) · silu(gate(x))) with x = norm(hidden),
/// and the sequences' states changed.
struct DeltaNetBlock {
  private let layer: Int
  private let description: DeltaNetDescription
  private let weights: LoadedTensors
  private let scratch: DeltaNetScratch
  private let output: QuantizedMatrix
  private let rule: RecurrenceRule

  /// Added to the sum of squares of a query or key before its root is taken, in the published
  /// models.
  private static let squaredLengthEpsilon: Float = 1e-6

  init(
    _ description: DeltaNetDescription, layer: Int, weights: LoadedTensors,
    scratch: DeltaNetScratch
  ) {
    self.layer = layer
    self.description = description
    self.weights = weights
    self.scratch = scratch
    output = weights.matrix(.recurrenceOutput)
    // Heads are first made to have a mean square of 1, then a length of 1 by these; queries are
    // divided by the root of the dimension besides.
    let dimension = Float(description.keyDimension)
    rule = RecurrenceRule(
      keySharing: description.keySharing, corrects: true, queryScale: 1 / dimension,
      keyScale: 1 / dimension.squareRoot())
  }

  /// The rows of one tile.
  private struct Rows {
    var normed, mixed, gate, recurred, beta, alpha, decay: FloatRows
  }

  /// - Parameters:
  ///   - hidden: The rows of a tile, whose first is row `start` of the step.
  func callAsFunction(_ hidden: FloatRows, start: Int, _ decoder: Decoder) -> FloatRows {
    let (team, count) = (decoder.team, hidden.rowCount)
    func rows(_ region: ScratchRegion) -> FloatRows { decoder.scratch.rows(region, count: count) }
    let rows = Rows(
      normed: rows(scratch.normed), mixed: rows(scratch.mixed), gate: rows(scratch.gate),
      recurred: rows(scratch.recurred), beta: rows(scratch.beta), alpha: rows(scratch.alpha),
      decay: rows(scratch.decay))
    let epsilon = decoder.description.normEpsilon
    team.rmsNorm(
      hidden, weight: weights.vector(.attentionNorm), epsilon: epsilon, into: rows.normed)
    project(rows, decoder)
    decoder.withStates(layer: layer, rows: start..<start + count) { segments in
      recur(rows, segments, team)
    }
    team.rmsNormHeads(
      rows.recurred, headCount: description.valueHeadCount,
      headDimension: description.valueDimension, weight: weights.vector(.recurrenceNorm),
      epsilon: epsilon, into: rows.recurred)
    team.activate(.swiGLU, gate: rows.gate, up: rows.recurred)
    // The norm's rows are free again: they take the projected output.
    decoder.beginProducts(of: rows.gate)
    decoder.append(output, into: rows.normed)
    decoder.multiply(as: .attentionOutput)
    return rows.normed
  }

  /// Everything that is a product of the normed rows, in the order in which it is used.
  private func project(_ rows: Rows, _ decoder: Decoder) {
    let (team, count) = (decoder.team, rows.normed.rowCount)
    let fusedInput = scratch.fusedInput.map { decoder.scratch.rows($0, count: count) }
    let fusedTimeSteps = scratch.fusedTimeSteps.map { decoder.scratch.rows($0, count: count) }
    decoder.beginProducts(of: rows.normed)
    decoder.append(weights.matrix(.mixedInput), into: fusedInput ?? rows.mixed)
    if fusedInput == nil { decoder.append(weights.matrix(.outputGate), into: rows.gate) }
    if let fusedTimeSteps {
      decoder.append(weights.matrix(.fusedTimeSteps), into: fusedTimeSteps)
    } else {
      decoder.append(weights.matrix(.beta), into: rows.beta)
      decoder.append(weights.matrix(.alpha), into: rows.alpha)
    }
    decoder.multiply(as: .queryKeyValue)
    let groupCount = description.keyHeadCount
    if let fusedInput {
      let (keyWidth, valueWidth) = (description.keyWidth, description.valueWidth)
      var offset = 0
      for target in [
        rows.mixed.columns(0, count: keyWidth), rows.mixed.columns(keyWidth, count: keyWidth),
        rows.mixed.columns(2 * keyWidth, count: valueWidth), rows.gate,
      ] {
        let width = target.columnCount / groupCount
        team.regroup(
          fusedInput, groupCount: groupCount, offset: offset, width: width, into: target)
        offset += width
      }
    }
    if let fusedTimeSteps {
      let width = description.valueHeadCount / groupCount
      for (number, target) in [rows.beta, rows.alpha].enumerated() {
        team.regroup(
          fusedTimeSteps, groupCount: groupCount, offset: number * width, width: width,
          into: target)
      }
    }
  }

  private func recur(_ rows: Rows, _ segments: [StateSegment], _ team: WorkerTeam) {
    let state = description.state
    let (keyWidth, valueWidth) = (description.keyWidth, description.valueWidth)
    team.convolve(
      rows.mixed, state.convolution, weight: weights.vector(.convolution), bias: nil,
      segments: segments)
    team.activate(.silu, gate: nil, up: rows.mixed)
    team.rmsNormHeads(
      rows.mixed, headCount: 2 * description.keyHeadCount,
      headDimension: description.keyDimension,
      epsilon: Self.squaredLengthEpsilon / Float(description.keyDimension), into: rows.mixed)
    team.activate(.sigmoid, gate: nil, up: rows.beta)
    team.advanceTime(
      rows.alpha, bias: weights.vector(.timeStepBias), rates: weights.vector(.decayRate),
      decays: rows.decay)
    team.recur(
      RecurrenceInput(
        queries: rows.mixed.columns(0, count: keyWidth),
        keys: rows.mixed.columns(keyWidth, count: keyWidth),
        values: rows.mixed.columns(2 * keyWidth, count: valueWidth), decays: rows.decay,
        factors: rows.beta),
      description.recurrence, rule, segments: segments, stateOffset: state.recurrenceOffset,
      into: rows.recurred)
  }
}
