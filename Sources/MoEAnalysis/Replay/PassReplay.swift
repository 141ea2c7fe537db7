package import MoECache
package import MoECore

/// What the engine's expert cache makes of a recorded run, hit for hit: generated tokens one by
/// one, chunks of a prompt as the engine runs them, all their tokens at once.
///
/// A chunk may want more experts of a layer than there are slots. The engine then hands slots out
/// in ascending order of the experts, each given back when it has been computed; who hits depends
/// on that order, so it is the same here (`OffloadedExperts.requestInTurn`).
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
  /// Cache time of the next pass's first token.
  private var time = 0
  private var phase = InferencePhase.prefill
  private var outcomes: [RequestedExpert] = []
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
    precondition(cache.geometry.layers.count == trace.layerCount)
    for (number, pass) in trace.passes.enumerated() {
      beginPass(trace.phases?[pass.lowerBound] ?? (pass.count == 1 ? .decode : .prefill))
      for layer in 0..<trace.layerCount {
        var step = RoutedStep(trace, tokens: pass, layer: layer)
        let counts = run(&step, layer: layer)
        each?(number, layer, counts)
      }
      endPass(tokenCount: pass.count)
    }
  }

  /// A pass begins; `run` of its steps follows, layer by layer, then `endPass`.
  package mutating func beginPass(_ phase: InferencePhase) {
    self.phase = phase
    cache.phase = phase
  }

  package mutating func endPass(tokenCount: Int) { time += tokenCount }

  /// One layer's step of the pass; its requests get to know what came of them.
  @discardableResult
  package mutating func run(_ step: inout RoutedStep, layer: Int) -> Counts {
    if step.tokenCount == 1 {
      requestTogether(&step, layer)
    } else {
      requestInTurn(&step, layer)
    }
    let counts = Counts(requestCount: step.requests.count, hitCount: step.hitCount)
    if phase == .prefill { prefill += counts } else { decode += counts }
    return counts
  }

  private mutating func requestTogether(_ step: inout RoutedStep, _ layer: Int) {
    let experts = step.lastExperts.filter { $0 >= 0 }
    cache.request(layer: layer, experts: experts.span, time: time, into: &outcomes)
    cache.finish(outcomes)
    for outcome in outcomes where outcome.isHit {
      guard let number = step.requests.firstIndex(where: { $0.expert == outcome.expert.index })
      else { continue }
      step.requests[number].isHit = true
      step.requests[number].isKept = true
    }
  }

  private mutating func requestInTurn(_ step: inout RoutedStep, _ layer: Int) {
    cache.beginStep(
      LayerStep(
        layer: layer, time: time + (step.requests.map(\.lastToken).max() ?? 0),
        experts: step.lastExperts.span, expertsPerToken: step.expertsPerToken))
    let sizeClass = cache.geometry.layers[layer].sizeClass
    let slotCount = ownSlotCounts[sizeClass]
    let share = slotCount / cache.geometry.layersByClass[sizeClass].count
    let limit = max(share, min(step.expertsPerToken, slotCount))
    step.limit = limit
    var claimCount = 0
    // Residents are kept for their turn, but some slots go round.
    var kept = limit - max(1, min(8, limit / 2))
    for number in step.requests.indices where kept > 0 {
      if claim(&step.requests[number], layer) {
        step.requests[number].isKept = true
        claimCount += 1
        kept -= 1
      }
    }
    var next = 0
    for number in step.requests.indices {
      while next < step.requests.count {
        if step.requests[next].slot == nil {
          guard claimCount < limit else { break }
          if !claim(&step.requests[next], layer) && !admit(&step.requests[next], layer) { break }
          claimCount += 1
        }
        next += 1
      }
      guard let slot = step.requests[number].slot else {
        preconditionFailure("later requests hold all slots")
      }
      cache.unpin(slot)
      claimCount -= 1
    }
  }

  /// Takes a request's expert if it is resident.
  private mutating func claim(_ request: inout RoutedStep.Request, _ layer: Int) -> Bool {
    let expert = ExpertID(layer: layer, index: request.expert)
    guard let slot = cache.lookup(expert) else { return false }
    cache.recordUse(
      expert, time: time + request.lastToken, tokenCount: request.tokenCount, rank: request.rank)
    cache.pin(slot)
    request.slot = slot
    request.isHit = true
    return true
  }

  private mutating func admit(_ request: inout RoutedStep.Request, _ layer: Int) -> Bool {
    guard
      let admission = cache.admit(
        ExpertID(layer: layer, index: request.expert), time: time + request.lastToken,
        tokenCount: request.tokenCount, rank: request.rank)
    else { return false }
    cache.pin(admission.slot)
    cache.markResident(admission.slot)
    request.slot = admission.slot
    return true
  }
}
