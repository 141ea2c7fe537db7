import MoECore
package import MoEKernels

/// A state space whose decay is one number for each head and row (Mamba-2, arXiv 2405.21060): a
/// head's memory goes from states to values, to which each row adds, and which it reads. A short
/// convolution runs over values, keys (B) and queries (C) first.
package struct Mamba2Description: Sendable, Equatable {
  package var headCount: Int
  /// Heads that follow each other share keys and queries; divides `headCount`.
  package var groupCount: Int
  /// Elements of a key and of a query.
  package var stateDimension: Int
  /// Elements of a head's values.
  package var headDimension: Int
  /// Rows that the convolution sees.
  package var tapCount: Int
  /// The name of the norm before it, without the layer's prefix and `.weight`.
  package var normName = "attn_norm"

  /// Of values, of gates, and of the sums.
  package var innerWidth: Int { headCount * headDimension }
  package var keyWidth: Int { groupCount * stateDimension }
  /// Values, keys and queries side by side.
  package var convolvedWidth: Int { innerWidth + 2 * keyWidth }

  package var recurrence: RecurrenceShape {
    RecurrenceShape(
      headCount: headCount, keyHeadCount: groupCount, keyDimension: stateDimension,
      valueDimension: headDimension)
  }

  package var state: RecurrentState {
    RecurrentState(
      convolution: ConvolutionShape(channelCount: convolvedWidth, tapCount: tapCount),
      recurrence: recurrence)
  }
}

extension TensorRole {
  package static let stateInput = TensorRole(
    rawValue: "projection of gates, values, keys, queries and time steps")
  package static let convolutionBias = TensorRole(rawValue: "convolution's bias")
  package static let skip = TensorRole(rawValue: "skip factors")
}

extension Mamba2Description {
  func addTensors(to table: inout TensorTable, hiddenSize: Int) {
    table.vector(.attentionNorm, normName + ".weight", count: hiddenSize)
    table.matrix(
      .stateInput, "ssm_in.weight", rows: innerWidth + convolvedWidth + headCount,
      columns: hiddenSize)
    table.vector(.convolution, "ssm_conv1d.weight", dimensions: [tapCount, convolvedWidth])
    table.vector(.convolutionBias, "ssm_conv1d.bias", count: convolvedWidth, isOptional: true)
    table.vector(.timeStepBias, "ssm_dt.bias", count: headCount)
    table.vector(.decayRate, "ssm_a", dimensions: [1, headCount])
    table.vector(.skip, "ssm_d", dimensions: [1, headCount])
    table.vector(
      .recurrenceNorm, "ssm_norm.weight", dimensions: [innerWidth / groupCount, groupCount])
    table.matrix(.recurrenceOutput, "ssm_out.weight", rows: hiddenSize, columns: innerWidth)
  }
}

/// What a tile of rows needs of scratch memory.
struct Mamba2Scratch: Sendable {
  /// (row, hiddenSize): after the norm; then the projected output.
  let normed: ScratchRegion
  /// (row, innerWidth)
  let gate: ScratchRegion
  let recurred: ScratchRegion
  /// (row, convolvedWidth)
  let mixed: ScratchRegion
  /// (row, headCount)
  let timeStep: ScratchRegion
  let decay: ScratchRegion

  init(_ description: Mamba2Description, hiddenSize: Int, in arena: inout ScratchArena) {
    let rowCount = arena.tileRowCount
    normed = arena.rows(rowCount, columns: hiddenSize)
    gate = arena.rows(rowCount, columns: description.innerWidth)
    recurred = arena.rows(rowCount, columns: description.innerWidth)
    mixed = arena.rows(rowCount, columns: description.convolvedWidth)
    timeStep = arena.rows(rowCount, columns: description.headCount)
    decay = arena.rows(rowCount, columns: description.headCount)
  }
}

/// output(norm(recurrence(convolution(mixed(x))) · silu(gate(x)))) with x = norm(hidden),
/// and the sequences' states changed.
struct Mamba2Block {
  private let layer: Int
  private let description: Mamba2Description
  private let weights: LoadedTensors
  private let scratch: Mamba2Scratch
  private let output: QuantizedMatrix

  init(
    _ description: Mamba2Description, layer: Int, weights: LoadedTensors, scratch: Mamba2Scratch
  ) {
    self.layer = layer
    self.description = description
    self.weights = weights
    self.scratch = scratch
    output = weights.matrix(.recurrenceOutput)
  }

  /// The rows of one tile.
  private struct Rows {
    var normed, gate, recurred, mixed, timeStep, decay: FloatRows
  }

  /// - Parameters:
  ///   - hidden: The rows of a tile, whose first is row `start` of the step.
  func callAsFunction(_ hidden: FloatRows, start: Int, _ decoder: Decoder) -> FloatRows {
    let (team, count) = (decoder.team, hidden.rowCount)
    func rows(_ region: ScratchRegion) -> FloatRows { decoder.scratch.rows(region, count: count) }
    let rows = Rows(
      normed: rows(scratch.normed), gate: rows(scratch.gate), recurred: rows(scratch.recurred),
      mixed: rows(scratch.mixed), timeStep: rows(scratch.timeStep), decay: rows(scratch.decay))
    let epsilon = decoder.description.normEpsilon
    team.rmsNorm(
      hidden, weight: weights.vector(.attentionNorm), epsilon: epsilon, into: rows.normed)
    // One matrix after the other in the file's.
    let projection = weights.matrix(.stateInput)
    var first = 0
    decoder.beginProducts(of: rows.normed)
    for part in [rows.gate, rows.mixed, rows.timeStep] {
      decoder.append(projection.rows(first, count: part.columnCount), into: part)
      first += part.columnCount
    }
    decoder.multiply(as: .queryKeyValue)
    decoder.withStates(layer: layer, rows: start..<start + count) { segments in
      recur(rows, segments, team)
    }
    team.activate(.swiGLU, gate: rows.gate, up: rows.recurred)
    normalize(rows.gate, epsilon: epsilon, team)
    // The norm's rows are free again: they take the projected output.
    decoder.beginProducts(of: rows.gate)
    decoder.append(output, into: rows.normed)
    decoder.multiply(as: .attentionOutput)
    return rows.normed
  }

  private func recur(_ rows: Rows, _ segments: [StateSegment], _ team: WorkerTeam) {
    let state = description.state
    let (width, keyWidth) = (description.innerWidth, description.keyWidth)
    team.convolve(
      rows.mixed, state.convolution, weight: weights.vector(.convolution),
      bias: weights.optionalVector(.convolutionBias), segments: segments)
    team.activate(.silu, gate: nil, up: rows.mixed)
    team.advanceTime(
      rows.timeStep, bias: weights.vector(.timeStepBias), rates: weights.vector(.decayRate),
      decays: rows.decay)
    team.recur(
      RecurrenceInput(
        queries: rows.mixed.columns(width + keyWidth, count: keyWidth),
        keys: rows.mixed.columns(width, count: keyWidth),
        values: rows.mixed.columns(0, count: width), decays: rows.decay, factors: rows.timeStep,
        skips: weights.vector(.skip)),
      description.recurrence, RecurrenceRule(keySharing: .grouped, corrects: false),
      segments: segments, stateOffset: state.recurrenceOffset, into: rows.recurred)
  }

  /// The norm of each group by itself, with weights of its own.
  private func normalize(_ rows: FloatRows, epsilon: Float, _ team: WorkerTeam) {
    let (weight, width) = (
      weights.vector(.recurrenceNorm), description.innerWidth / description.groupCount
    )
    for group in 0..<description.groupCount {
      let part = rows.columns(group * width, count: width)
      team.rmsNorm(
        part, weight: weight.slice(group * width, count: width), epsilon: epsilon, into: part)
    }
  }
}
