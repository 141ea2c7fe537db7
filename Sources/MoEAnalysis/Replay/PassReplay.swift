package import MoECache
package import MoECore

/// What the engine's expert cache makes of a recorded run, hit for hit: generated tokens one by
/// one, chunks of a prompt as the engine runs them, all their tokens at once, tokens of several
/// sequences side by side.
///
/// Who hits depends on the order in which slots are handed out and given back; that is the engine's
/// own (`StepAdmission`).
package struct PassReplay: ~Copyable {
  /// Of the experts of one layer that one pass asked for.
  package struct Counts: Sendable, Equatable {
    package var requestCount = 0
    package var hitCount = 0

    package init() {}

    package init(requestCount: Int, hitCount: Int) {
      self.requestCount = requestCount
      self.hitCount = hitCount
    }

    package static func += (left: inout Counts, right: Counts) {
      left.requestCount += right.requestCount
      left.hitCount += right.hitCount
    }
  }

  package private(set) var cache: ExpertCache
  package private(set) var prefill = Counts()
  package private(set) var decode = Counts()
  private var admission: StepAdmission
  private var phase = InferencePhase.prefill
  /// (class): slots that nobody takes back.
  private let ownSlotCounts: [Int]
  /// (class): slots that are in use.
  private var usedSlotCounts: [Int]

  /// - Parameter ownSlotCounts: By class, the slots of `geometry` that are not in lent memory: how
  ///   many experts a chunk holds at a time depends on these alone. Nil: all.
  package init(geometry: CacheGeometry, policy: PolicyEntry, ownSlotCounts: [Int]? = nil) {
    let slotCounts = geometry.slotRanges.map(\.count)
    let own = ownSlotCounts ?? slotCounts
    precondition(own.count == slotCounts.count && zip(own, slotCounts).allSatisfy { $0 <= $1 })
    usedSlotCounts = slotCounts
    self.ownSlotCounts = own
    admission = StepAdmission(geometry: geometry, ownSlotCounts: own)
    cache = ExpertCache(geometry: geometry, policy: policy)
  }

  /// Takes lent slots out of use, or back into it, the last ones first: by class, as many as are in
  /// use then. Between passes.
  package mutating func use(slotCounts: [Int]) {
    precondition(slotCounts.count == usedSlotCounts.count)
    for (sizeClass, range) in cache.geometry.slotRanges.enumerated() {
      let wanted = min(max(slotCounts[sizeClass], ownSlotCounts[sizeClass]), range.count)
      while usedSlotCounts[sizeClass] > wanted {
        usedSlotCounts[sizeClass] -= 1
        cache.withdraw(range.lowerBound + usedSlotCounts[sizeClass])
      }
      while usedSlotCounts[sizeClass] < wanted {
        cache.restore(range.lowerBound + usedSlotCounts[sizeClass])
        usedSlotCounts[sizeClass] += 1
      }
    }
  }

  /// Replays all passes of a trace, after those that were replayed before.
  ///
  /// - Parameter each: Called for each pass and layer.
  package mutating func run(
    _ trace: RoutingTrace, each: ((_ pass: Int, _ layer: Int, Counts) -> Void)? = nil
  ) {
    precondition(cache.geometry.expertLayers.count == trace.layerCount)
    let starts = Set(trace.sequenceStarts)
    let sequence = SequenceID(rawValue: 0)
    for (number, pass) in trace.passes.enumerated() {
      if starts.contains(pass.lowerBound) { beginSequence(sequence) }
      beginPass(
        trace.phases?[pass.lowerBound] ?? (pass.count == 1 ? .decode : .prefill),
        [SequenceRun(sequence, rowCount: pass.count)])
      for (place, layer) in cache.geometry.expertLayers.enumerated() {
        var step = RoutedStep(trace, tokens: pass, layer: place)
        let counts = run(&step, layer: layer)
        each?(number, place, counts)
      }
      if starts.contains(pass.upperBound) || pass.upperBound == trace.tokenCount {
        endSequence(sequence)
      }
    }
  }

  package mutating func beginSequence(_ sequence: SequenceID) { cache.beginSequence(sequence) }
  package mutating func endSequence(_ sequence: SequenceID) { cache.endSequence(sequence) }

  /// A pass of some rows begins; `run` of its steps follows, layer by layer.
  package mutating func beginPass(_ phase: InferencePhase, _ runs: [SequenceRun]) {
    self.phase = phase
    cache.phase = phase
    admission.beginStep(runs.span)
  }

  /// One layer's step of the pass; its requests get to know what came of them.
  @discardableResult
  package mutating func run(_ step: inout RoutedStep, layer: Int) -> Counts {
    serve(&step, layer)
    let counts = Counts(requestCount: step.requests.count, hitCount: step.hitCount)
    if phase == .prefill { prefill += counts } else { decode += counts }
    return counts
  }

  /// Experts are released in the order in which they are computed, which is ascending.
  private mutating func serve(_ step: inout RoutedStep, _ layer: Int) {
    admission.begin(
      layer: layer, step.requests.map(\.wanted), experts: step.lastExperts.span,
      expertsPerToken: step.expertsPerToken, in: &cache)
    step.limit = admission.claimLimit
    for number in step.requests.indices {
      step.requests[number].isKept = admission.holdsSlot(number)
    }
    takeGrants(&step)
    for number in step.requests.indices {
      admission.release(number, in: &cache)
      takeGrants(&step)
    }
    admission.end()
  }

  /// Reads take no time here.
  private mutating func takeGrants(_ step: inout RoutedStep) {
    while let grant = admission.next(in: &cache) {
      step.requests[grant.number].isHit = grant.isHit
      if !grant.isHit {
        step.requests[grant.number].isKept = false
        cache.markResident(grant.slot)
      }
    }
  }
}
