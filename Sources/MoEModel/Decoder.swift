package import MoECache
package import MoECore
package import MoEExperts
package import MoEKernels

/// The transformer, for every architecture: embedding, then the layers with their blocks, then norm
/// and output matrix.
///
/// Works on any number of sequences, whose states it owns the memory of. One thread uses it. What
/// it computes for a row depends on the tokens before it in its sequence alone: not on how they
/// were cut into chunks, on what other sequences share a step, on the number of workers, or on
/// where the experts' weights came from; the bits are the same.
package final class Decoder {
  package let description: ModelDescription
  package let weights: DecoderWeights
  package let experts: any ExpertSource
  package let team: WorkerTeam
  package weak var observer: (any DecoderObserver)?
  /// Counts of what was selected since the decoder was made.
  package internal(set) var routed = RoutedCounts()

  let scratch: Scratch
  let layers: [DecoderLayer]
  private let embedding: QuantizedMatrix
  private let outputNorm: Norm
  private let output: QuantizedMatrix
  /// (vocabularySize)
  private let outputBias: FloatView?
  let rotaries: [RotaryTable]
  /// Who computes routed experts.
  let executor: any ExpertExecutor
  var products: ProductList
  var activations: InputActivations
  var grouping: ExpertGrouping
  var prediction: Prediction
  var pool: PagePool
  /// By number: the sequences that have begun.
  var sequences: [SequenceState?]
  /// The step in progress, or the last one: its sequences, and which rows are whose.
  var stepSequences: [SequenceState] = []
  var stepRows: [SequenceRows] = []
  private var expertRows = StepRows()
  /// Of a tile, for attention, and for layers that keep a state of fixed size.
  var segments: [AttentionSegment] = []
  var stateSegments: [StateSegment] = []
  /// Rows of the last step whose hidden states can be turned into logits.
  private var stepRowCount = 0

  package init(
    description: ModelDescription, weights: DecoderWeights, experts: any ExpertSource,
    team: WorkerTeam, scratch layout: ScratchLayout, states: StateLayout,
    predictor entry: PredictorEntry = PredictorRegistry.defaultEntry
  ) throws(OutOfMemory) {
    precondition(min(layout.tileTokenCount, states.contextLength) <= states.tileRowCount)
    self.description = description
    self.weights = weights
    self.experts = experts
    self.team = team
    let scratch = try Scratch(layout)
    pool = try PagePool(states)
    sequences = Array(repeating: nil, count: states.sequenceCount)
    embedding = weights.ends.matrix(.embedding)
    outputNorm = Norm(.outputNorm, in: weights.ends, description)
    output = weights.ends.optionalMatrix(.output) ?? embedding
    outputBias = weights.ends.optionalVector(.output.bias)
    rotaries = description.rotaries.map { RotaryTable($0, factorsIn: weights.ends) }
    var layers: [DecoderLayer] = []
    for number in description.layers.indices {
      layers.append(
        DecoderLayer(number, description: description, weights: weights, scratch: scratch))
    }
    self.layers = layers
    executor = LocalExpertExecutor(
      experts, team: team, scratch: scratch.expertScratch(layout.experts))
    self.scratch = scratch
    products = ProductList(capacity: description.productCountMax)
    activations = InputActivations()
    grouping = ExpertGrouping(expertCountMax: description.expertCountMax)
    prediction = Prediction(
      entry,
      description.predictorShape(
        rowCountMax: layout.tokenCount, sequenceCountMax: states.sequenceCount))
    stepSequences.reserveCapacity(states.sequenceCount)
    stepRows.reserveCapacity(states.sequenceCount)
    segments.reserveCapacity(states.sequenceCount)
    stateSegments.reserveCapacity(states.sequenceCount)
  }

  /// Makes the kernel provide memory now, so that later steps take no page faults: scratch, and
  /// what of the sequences' pages is not lent to the experts.
  package func populate() {
    if experts.loanByteCount == 0 { pool.holdAll() }
    scratch.populate()
  }

  package var contextLength: Int { pool.layout.contextLength }
  /// Rows that one `forward` takes at most.
  package var stepRowCountMax: Int { scratch.layout.tokenCount }
  package var logitRowCountMax: Int { scratch.layout.logitRowCount }
  var attentionPartials: FloatView { pool.partials() }

  /// Runs the next tokens of some sequences through all layers; their rows lie one sequence after
  /// the other, in the order given.
  ///
  /// The caller has checked the ids against the vocabulary, and that they fit the step and the
  /// context; each sequence is named once. Throws `ExpertError` where weights cannot be read and
  /// `CancellationError`; the positions are then what they were, and the same tokens may be tried
  /// again as long as a sequence `isIntact`. `progress` is called after each layer with how many
  /// are done.
  package func forward(
    _ inputs: [StepInput], cancellation: CancellationFlag? = nil,
    progress: ((_ layerCount: Int) -> Void)? = nil
  ) throws {
    begin(inputs)
    let count = inputs.reduce(0) { $0 + $1.tokens.count }
    let layout = scratch.layout
    let ids = scratch.indices(layout.tokens).slice(0, count: count)
    let hidden = scratch.rows(layout.hidden, count: count)
    observer?.didBegin(ids, stepRows)
    team.embed(ids, from: embedding, into: hidden)
    if description.embeddingScale != 1 { team.scale(hidden, by: description.embeddingScale) }
    observer?.didEmbed(hidden)
    timed(.positions) { fillRotaries(rowCount: count) }
    defer { team.timeline?.layer = -1 }
    experts.beginStep(expertRows)
    prediction.beginStep(expertRows)
    for (number, layer) in layers.enumerated() {
      team.timeline?.layer = number
      try timed(.layer) { try layer.forward(hidden, self, cancellation) }
      observer?.didFinish(layer: number, hidden)
      progress?(number + 1)
    }
    for (sequence, rows) in zip(stepSequences, stepRows) {
      sequence.position = rows.position + rows.rows.count
      sequence.turnStates()
    }
    stepRowCount = count
  }

  /// Checks the inputs, takes memory for what they add, and lays their tokens out.
  private func begin(_ inputs: [StepInput]) {
    stepRowCount = 0
    stepSequences.removeAll(keepingCapacity: true)
    stepRows.removeAll(keepingCapacity: true)
    expertRows.removeAll()
    let ids = scratch.indices(scratch.layout.tokens)
    var row = 0
    for input in inputs {
      let sequence = input.sequence
      precondition(!input.tokens.isEmpty && row + input.tokens.count <= stepRowCountMax)
      precondition(sequence.position + input.tokens.count <= contextLength)
      precondition(sequence.isIntact && sequences[sequence.id.rawValue] === sequence)
      precondition(!stepSequences.contains { $0 === sequence })
      sequence.writtenCount = max(
        sequence.writtenCount, sequence.position + input.tokens.count)
      stepSequences.append(sequence)
      stepRows.append(
        SequenceRows(
          id: sequence.id, phase: input.phase, rows: row..<row + input.tokens.count,
          position: sequence.position))
      expertRows.append(sequence.id, rowCount: input.tokens.count, phase: input.phase)
      for token in input.tokens {
        precondition(token >= 0 && token < description.vocabularySize)
        ids[row] = UInt32(token)
        row += 1
      }
      if sequence.position == 0 { sequence.gating?.beginSequence() }
    }
    precondition(row > 0)
    hold()
  }

  /// Logits of some rows of the last step: (row, vocabularySize), in their order, valid until the
  /// next call. At most `logitRowCountMax` rows.
  package func logits(ofRows rows: some Collection<Int>) -> FloatRows {
    precondition(!rows.isEmpty && rows.allSatisfy { (0..<stepRowCount).contains($0) })
    let layout = scratch.layout
    let hidden = scratch.rows(layout.hidden, count: stepRowCount)
    let normed = scratch.rows(layout.outputNormed, count: rows.count)
    for (place, row) in rows.enumerated() {
      outputNorm(hidden.rows(row, count: 1), into: normed.rows(place, count: 1), team)
    }
    observer?.didNormalize(normed)
    let logits = scratch.rows(layout.logits, count: rows.count)
    beginProducts(of: normed)
    append(output, into: logits)
    multiply(as: .output)
    if let outputBias { team.addBias(outputBias, to: logits) }
    if description.logitScale != 1 || description.logitSoftCap != nil {
      team.scale(logits, by: description.logitScale, softCap: description.logitSoftCap)
    }
    return logits
  }

  /// Logits of the last row: (vocabularySize).
  package func lastLogits() -> FloatView {
    logits(ofRows: CollectionOfOne(stepRowCount - 1)).row(0)
  }

  /// Does something and shows it on the timeline, where there is one, as a slice of the driver's.
  package func timed<Value, Failure: Error>(
    _ activity: TimelineActivity, _ body: () throws(Failure) -> Value
  ) throws(Failure) -> Value { try team.timed(activity, body) }

  private func fillRotaries(rowCount: Int) {
    for (table, regions) in zip(rotaries, scratch.layout.rotaries) {
      let cosines = scratch.rows(regions.cosines, count: rowCount)
      let sines = scratch.rows(regions.sines, count: rowCount)
      for rows in stepRows {
        table.fill(
          cosines: cosines.rows(rows.rows.lowerBound, count: rows.rows.count),
          sines: sines.rows(rows.rows.lowerBound, count: rows.rows.count),
          position: { rows.position + $0 })
      }
    }
  }

  /// Turns the heads of a tile's rows, whose first is row `start` of the step.
  func rotate(
    _ rows: FloatRows, headCount: Int, headDimension: Int, start: Int, rotaryNumber: Int
  ) {
    let regions = scratch.layout.rotaries[rotaryNumber]
    let (end, count) = (start + rows.rowCount, rows.rowCount)
    team.rotate(
      rows, headCount: headCount, headDimension: headDimension,
      cosines: scratch.rows(regions.cosines, count: end).rows(start, count: count),
      sines: scratch.rows(regions.sines, count: end).rows(start, count: count),
      pairing: description.rotaries[rotaryNumber].pairing)
  }
}

extension WorkerTeam {
  /// Does something and shows it on the timeline, where there is one, as a slice of the driver's.
  func timed<Value, Failure: Error>(
    _ activity: TimelineActivity, _ body: () throws(Failure) -> Value
  ) throws(Failure) -> Value {
    guard let timeline else { return try body() }
    let slice = timeline.begin(activity)
    defer { timeline.end(slice) }
    return try body()
  }
}
