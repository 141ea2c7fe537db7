package import MoECache
package import MoECore
import MoEExperts
import MoEKernels

/// Sequences begin and end by name; their pages come from the pool step by step.
extension Decoder {
  /// Sequences that may have begun at a time.
  package var sequenceCountMax: Int { sequences.count }

  /// Begins a sequence; nil where as many have begun as there may be.
  package func beginSequence() -> SequenceState? {
    guard let number = sequences.firstIndex(where: { $0 == nil }) else { return nil }
    let sequence = SequenceState(id: SequenceID(rawValue: number), layout: pool.layout)
    sequences[number] = sequence
    experts.beginSequence(sequence.id)
    prediction.beginSequence(sequence.id)
    return sequence
  }

  /// Ends a sequence: its pages go back to the pool.
  package func endSequence(_ sequence: SequenceState) {
    precondition(sequences[sequence.id.rawValue] === sequence, "a sequence is ended once")
    giveBackPages(of: sequence, keptPositionCount: 0)
    experts.endSequence(sequence.id)
    prediction.endSequence(sequence.id)
    sequences[sequence.id.rawValue] = nil
  }

  /// Does something with a new sequence, which ends with it. There must be room for one.
  package func withSequence<Value>(
    gating: (any Gating)? = nil, _ body: (SequenceState) throws -> Value
  ) rethrows -> Value {
    guard let sequence = beginSequence() else {
      preconditionFailure("as many sequences as there may be have begun")
    }
    defer { endSequence(sequence) }
    sequence.gating = gating
    return try body(sequence)
  }

  /// Cuts a sequence to its first `position` tokens. False, with nothing done, where what those
  /// would see is there no more (`SequenceState.canGoOn`); to 0 it can always be cut.
  @discardableResult
  package func cut(_ sequence: SequenceState, to position: Int = 0) -> Bool {
    precondition(position >= 0 && position <= sequence.position)
    guard position == 0 || sequence.canGoOn(at: position) else { return false }
    giveBackPages(of: sequence, keptPositionCount: position)
    sequence.position = position
    if position == 0 {
      sequence.writtenCount = 0
      sequence.restoredCount = 0
      experts.endSequence(sequence.id)
      prediction.endSequence(sequence.id)
      experts.beginSequence(sequence.id)
      prediction.beginSequence(sequence.id)
    }
    return true
  }

  /// Whether a sequence can be cut back by the rows of a step: states of fixed size cannot.
  package var canGoBack: Bool { pool.layout.groups.allSatisfy { !$0.isRecurrent } }

  /// What a window keeps goes round in pages that stay; of the others the last ones go.
  private func giveBackPages(of sequence: SequenceState, keptPositionCount: Int) {
    for (number, group) in pool.layout.groups.enumerated() {
      let isKept = group.ringPageCount != nil && keptPositionCount > 0
      let count =
        isKept ? sequence.pages[number].count : group.pageCount(positions: keptPositionCount)
      while sequence.pages[number].count > count {
        pool.giveBack(sequence.removeLastPage(group: number), group: number)
      }
    }
  }

  /// Sees to it that the step's rows have pages, and the pages memory.
  func hold() {
    for (sequence, rows) in zip(stepSequences, stepRows) {
      takePages(for: sequence, positions: rows.position + rows.rows.count)
    }
    holdPages(isNew: stepRows.contains { $0.position == 0 })
    for (sequence, rows) in zip(stepSequences, stepRows) where rows.position == 0 {
      sequence.clearStates()
    }
  }

  /// Gives a sequence the pages of its first `positions` tokens.
  func takePages(for sequence: SequenceState, positions: Int) {
    for (number, group) in pool.layout.groups.enumerated() {
      while sequence.pages[number].count < group.pageCount(positions: positions) {
        guard let page = pool.take(group: number) else {
          preconditionFailure("the pool has pages for as many sequences as may begin")
        }
        sequence.append(page, memory: pool.page(page, group: number), group: number)
      }
    }
  }

  /// Takes memory for all pages in use, what they lend to the experts being taken back first.
  ///
  /// - Parameter isNew: Whether a sequence has just begun: what others have left is then given
  ///   back, to be lent again.
  func holdPages(isNew: Bool) {
    let isLending = experts.loanByteCount > 0
    let isGrowing = !pool.holdsWhatIsUsed
    guard isGrowing || (isLending && isNew) else { return }
    let free = pool.layout.pageByteCount - pool.usedByteCount
    if isGrowing { experts.setLoan(byteCount: min(free, experts.loanByteCount)) }
    if isLending { pool.holdAndTrim() } else { pool.holdUsed() }
    if !isGrowing { experts.setLoan(byteCount: min(free, experts.loanByteCount)) }
  }

  /// The parts of a tile's rows that belong to the sequences, as attention takes them.
  func withSegments(
    layer: Int, rows tile: Range<Int>, _ body: ([AttentionSegment]) -> Void
  ) {
    // Taken out while it is in use, so that it is not copied.
    var list: [AttentionSegment] = []
    swap(&list, &segments)
    list.removeAll(keepingCapacity: true)
    for (sequence, rows) in zip(stepSequences, stepRows) {
      let common = rows.rows.clamped(to: tile)
      guard !common.isEmpty else { continue }
      list.append(
        AttentionSegment(
          view: sequence.view(layer: layer),
          position: rows.position + common.lowerBound - rows.rows.lowerBound,
          rowCount: common.count))
    }
    body(list)
    swap(&list, &segments)
  }

  /// The same as layers take them that keep a state of fixed size.
  func withStates(layer: Int, rows tile: Range<Int>, _ body: ([StateSegment]) -> Void) {
    var list: [StateSegment] = []
    swap(&list, &stateSegments)
    list.removeAll(keepingCapacity: true)
    for (sequence, rows) in zip(stepSequences, stepRows) {
      let common = rows.rows.clamped(to: tile)
      guard !common.isEmpty else { continue }
      let isFirst = common.lowerBound == rows.rows.lowerBound
      list.append(
        StateSegment(
          source: sequence.state(layer: layer, ofStep: !isFirst),
          target: sequence.state(layer: layer, ofStep: true), rowCount: common.count))
    }
    body(list)
    swap(&list, &stateSegments)
  }

  /// Gives the rows of a tile, numbered in the step, with the positions that they have in their
  /// sequences.
  func forEachPosition(of tile: Range<Int>, _ body: (_ row: Int, _ position: Int) -> Void) {
    for rows in stepRows {
      for row in rows.rows.clamped(to: tile) {
        body(row, rows.position + row - rows.rows.lowerBound)
      }
    }
  }

  /// The experts of a tile's rows, by the model's own rule and by the gating of their sequence,
  /// where there is one that has a say in this phase.
  ///
  /// - Parameter start: The tile's first row in the step.
  func select(
    layer: Int, start: Int, logits: FloatRows, probabilities: FloatRows,
    selectionBias: FloatView?, expertScales: FloatView?, router: Router,
    into selection: Selection
  ) {
    for (sequence, rows) in zip(stepSequences, stepRows) {
      let common = rows.rows.clamped(to: start..<start + logits.rowCount)
      guard !common.isEmpty else { continue }
      let (first, count) = (common.lowerBound - start, common.count)
      let part = selection.rows(first, count: count)
      let (own, scratch) = (
        logits.rows(first, count: count), probabilities.rows(first, count: count)
      )
      var expertCount = count * selection.expertsPerToken
      if var gating = sequence.gating, rows.phase == .decode || !gating.dependsOnResidency {
        // Taken out while it is in use, so that it is not copied.
        sequence.gating = nil
        expertCount = router.select(
          logits: own, probabilities: scratch, selectionBias: selectionBias,
          expertScales: expertScales, into: part, layer: layer, residency: experts, gating: &gating)
        sequence.gating = gating
      } else {
        router.select(
          logits: own, probabilities: scratch, selectionBias: selectionBias,
          expertScales: expertScales, into: part)
      }
      routed[rows.phase].selectionCount += count
      routed[rows.phase].expertCount += expertCount
    }
  }
}

extension ModelDescription {
  /// What a way to predict experts is made for, in steps of at most so many rows.
  package func predictorShape(rowCountMax: Int, sequenceCountMax: Int = 1) -> PredictorShape {
    PredictorShape(
      layers: routers.map {
        PredictorShape.Layer(
          expertCount: $0?.expertCount ?? 0, expertsPerToken: $0?.expertsPerToken ?? 0)
      }, tokenCountMax: rowCountMax, sequenceCountMax: sequenceCountMax)
  }
}

extension Decoder {
  /// Runs the next tokens of one sequence alone (`forward(_:cancellation:progress:)`).
  package func forward(
    _ tokens: some Collection<Int32>, of sequence: SequenceState, phase: InferencePhase,
    cancellation: CancellationFlag? = nil, progress: ((_ layerCount: Int) -> Void)? = nil
  ) throws {
    try forward(
      [StepInput(sequence, ArraySlice(tokens), phase: phase)], cancellation: cancellation,
      progress: progress)
  }
}
