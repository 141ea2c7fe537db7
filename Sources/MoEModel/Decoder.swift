package import MoECache
package import MoECore
package import MoEExperts
package import MoEKernels

/// The transformer, for every architecture: embedding, then for each layer attention and routed
/// experts, then norm and output matrix.
///
/// Holds one sequence's keys and values. One thread uses it. What it computes for a token depends
/// on the tokens before it alone: not on how they were cut into chunks, on the number of workers,
/// or on where the experts' weights came from; the bits are the same.
package final class Decoder {
  package let description: ModelDescription
  package let weights: DecoderWeights
  package let experts: any ExpertSource
  package let team: WorkerTeam
  package weak var observer: (any DecoderObserver)?
  /// Positions that keys and values are held for.
  package private(set) var position = 0
  /// What changes the router's choices; nil: nothing does. To be changed between passes.
  package var gating: (any Gating)?
  /// Counts of what was selected since the decoder was made.
  package internal(set) var routed = RoutedCounts()

  /// The one sequence, and whether it has begun.
  private let sequence = SequenceID(rawValue: 0)
  private var hasSequence = false
  private var stepRows = StepRows()
  /// Of the pass in progress.
  private(set) var phase = InferencePhase.prefill
  private(set) var cache: KVCache
  let scratch: Scratch
  let rotary: RotaryTable
  let router: Router
  /// Who computes the routed experts.
  let executor: any ExpertExecutor
  /// The rows that experts read.
  let expertInput: ExpertInput
  var products: ProductList
  var activations: InputActivations
  var grouping: ExpertGrouping
  var lookAhead: LookAhead
  /// Rows of the last chunk whose hidden states can be turned into logits.
  private var chunkTokenCount = 0

  package init(
    description: ModelDescription, weights: DecoderWeights, experts: any ExpertSource,
    team: WorkerTeam, scratch layout: ScratchLayout, contextLength: Int, kvType: KVType,
    lookAhead entry: LookAheadEntry = LookAheadRegistry.defaultEntry
  ) throws(OutOfMemory) {
    self.description = description
    self.weights = weights
    self.experts = experts
    self.team = team
    cache = try KVCache(description: description, capacity: contextLength, type: kvType)
    scratch = try Scratch(layout)
    rotary = RotaryTable(description.attention.rotary)
    router = Router(description: description.router)
    executor = LocalExpertExecutor(experts, team: team, scratch: scratch.expertScratch())
    expertInput = scratch.expertInput(hiddenSize: description.hiddenSize)
    products = ProductList(capacity: 4)
    activations = InputActivations()
    grouping = ExpertGrouping(expertCount: description.router.expertCount)
    lookAhead = LookAhead(entry, description.lookAheadShape(tokenCountMax: layout.tokenCount))
  }

  /// Makes the kernel provide memory now, so that later steps take no page faults: scratch, and
  /// what of the cache's is not lent to the experts.
  package func populate() {
    cache.hold(positions: experts.loanByteCount > 0 ? 1 : cache.capacity)
    scratch.populate()
  }

  /// Sees to it that positions up to `count` have memory in the cache, what it lends to the experts
  /// being taken back first. A new sequence gives back what the last one held, to be lent again.
  private func hold(positions count: Int) {
    let isLending = experts.loanByteCount > 0
    if count <= cache.heldPositionCount && !(isLending && position == 0) { return }
    let free =
      cache.heldByteCount(positions: cache.capacity) - cache.heldByteCount(positions: count)
    let isGrowing = count > cache.heldPositionCount
    if isGrowing { experts.setLoan(byteCount: min(free, experts.loanByteCount)) }
    cache.hold(positions: count)
    if !isGrowing { experts.setLoan(byteCount: min(free, experts.loanByteCount)) }
  }

  package var contextLength: Int { cache.capacity }
  /// Tokens that one `forward` takes at most.
  package var chunkTokenCountMax: Int { scratch.layout.tokenCount }
  package var logitRowCountMax: Int { scratch.layout.logitRowCount }

  /// Forgets the sequence, or all of it from `position` on.
  package func truncate(to position: Int = 0) {
    precondition(position >= 0 && position <= self.position)
    self.position = position
    chunkTokenCount = 0
    if position == 0 { endSequence() }
  }

  /// The owner of sequences says when one begins, which is with its first step.
  private func beginSequence() {
    guard !hasSequence else { return }
    hasSequence = true
    lookAhead.beginSequence()
    experts.beginSequence(sequence)
  }

  private func endSequence() {
    guard hasSequence else { return }
    hasSequence = false
    experts.endSequence(sequence)
  }

  /// Runs the next tokens of the sequence through all layers.
  ///
  /// The caller has checked the ids against the vocabulary, and that they fit the chunk and the
  /// context. Throws `ExpertError` where weights cannot be read and `CancellationError`; the
  /// position is then what it was, and the same tokens may be tried again. `progress` is called
  /// after each layer with how many are done.
  package func forward(
    _ tokens: some Collection<Int32>, phase: InferencePhase, cancellation: CancellationFlag? = nil,
    progress: ((_ layerCount: Int) -> Void)? = nil
  ) throws {
    let count = tokens.count
    precondition(count >= 1 && count <= chunkTokenCountMax && position + count <= contextLength)
    chunkTokenCount = 0
    self.phase = phase
    beginSequence()
    if position == 0 { gating?.beginSequence() }
    hold(positions: position + count)
    let layout = scratch.layout
    let ids = scratch.indices(layout.tokens)
    for (index, token) in tokens.enumerated() {
      precondition(token >= 0 && token < description.vocabularySize)
      ids[index] = UInt32(token)
    }
    observer?.didBegin(ids.slice(0, count: count), position: position, phase: phase)
    let hidden = scratch.rows(layout.hidden, count: count)
    team.embed(ids.slice(0, count: count), from: weights.embedding, into: hidden)
    observer?.didEmbed(hidden)
    timed(.positions) {
      rotary.fill(
        cosines: scratch.rows(layout.cosines, count: count),
        sines: scratch.rows(layout.sines, count: count), position: { position + $0 })
    }
    defer { team.timeline?.layer = -1 }
    stepRows.removeAll()
    stepRows.append(sequence, rowCount: count, phase: phase)
    experts.beginStep(stepRows)
    for layer in 0..<description.layerCount {
      team.timeline?.layer = layer
      try timed(.layer) {
        for tile in layout.tiles(of: count) {
          if cancellation?.isCancelled == true { throw CancellationError() }
          let rows = hidden.rows(tile.lowerBound, count: tile.count)
          attend(layer: layer, hidden: rows, start: tile.lowerBound)
          timed(.request) { experts.advance() }
          route(layer: layer, hidden: rows, start: tile.lowerBound)
        }
        try addExperts(layer: layer, hidden: hidden)
      }
      observer?.didFinish(layer: layer, hidden)
      progress?(layer + 1)
    }
    position += count
    chunkTokenCount = count
  }

  /// Logits of rows `start ..< start + count` of the last chunk: (row, vocabularySize), valid until
  /// the next call. At most `logitRowCountMax` rows.
  package func logits(from start: Int, count: Int) -> FloatRows {
    precondition(count >= 1 && start >= 0 && start + count <= chunkTokenCount)
    let layout = scratch.layout
    let hidden = scratch.rows(layout.hidden, count: chunkTokenCount).rows(start, count: count)
    let normed = scratch.rows(layout.normed, count: count)
    team.rmsNorm(
      hidden, weight: weights.outputNorm, epsilon: description.normEpsilon, into: normed)
    observer?.didNormalize(normed)
    activations.begin(normed)
    let logits = scratch.rows(layout.logits, count: count)
    products.removeAll()
    append(weights.output, into: logits)
    team.multiply(products, as: .output)
    return logits
  }

  /// Logits of the last token: (vocabularySize).
  package func lastLogits() -> FloatView {
    logits(from: chunkTokenCount - 1, count: 1).row(0)
  }

  /// Does something and shows it on the timeline, where there is one, as a slice of the driver's.
  package func timed<Value, Failure: Error>(
    _ activity: TimelineActivity, _ body: () throws(Failure) -> Value
  ) throws(Failure) -> Value { try team.timed(activity, body) }

  /// Adds a product of the current input (`activations`) to the list.
  func append(_ matrix: QuantizedMatrix, into output: FloatRows) {
    let input = activations.rows(form: matrix.format.activation, scratch: scratch, team: team)
    products.append(matrix, input, into: output)
  }
}

/// The rows that the next products read, in each form that one of them wants; made when first
/// asked.
struct InputActivations {
  private var source: FloatRows?
  private var made: [ActivationRows?] = Array(repeating: nil, count: ActivationForm.allCases.count)

  /// New rows: what was made of the old ones is void.
  mutating func begin(_ rows: FloatRows) {
    source = rows
    for index in made.indices { made[index] = nil }
  }

  mutating func rows(
    form: ActivationForm, scratch: borrowing Scratch, team: WorkerTeam
  ) -> ActivationRows {
    guard let source else { preconditionFailure("no rows to read") }
    if form == .f32 { return source.asActivations }
    let index = form == .q8_0 ? 0 : 1
    if let rows = made[index] { return rows }
    let rows = scratch.activations(
      scratch.layout.inputForms, form: form, count: source.rowCount, columns: source.columnCount)
    team.quantize(source, into: rows)
    made[index] = rows
    return rows
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

extension ModelDescription {
  /// What a way to look ahead is made for, in steps of at most so many tokens.
  package func lookAheadShape(tokenCountMax: Int) -> LookAheadShape {
    LookAheadShape(
      layerCount: layerCount, expertCount: router.expertCount,
      expertsPerToken: router.expertsPerToken, tokenCountMax: tokenCountMax)
  }
}
