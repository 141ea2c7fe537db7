package import MoECore

/// Decides, for a step on one layer, which experts find a slot, in which order, and when: the rule
/// of admission, which the engine and the replay of traces both drive.
///
/// A step may hold `claimLimit` slots at a time. Where its requests are no more than these, it
/// holds all of them at once: *hits first*, then slots for the others, best ranks first, and of
/// equal ranks the earlier row first. Where they are more, slots are handed out *in turn*, in
/// ascending order of the experts, as far ahead as there are slots; residents are kept for their
/// turn, but some slots go round. The choice follows from the numbers of requests and slots
/// alone. What is computed depends on neither.
///
/// Pure bookkeeping beside an `ExpertCache`. A step through all layers starts with `beginStep`; in
/// each layer goes `begin`, then `next` until it gives nothing more, for each request in ascending
/// order `release` once its expert has been computed, with `next` again after each, and `end`:
///
///     admission.beginStep(runs.span)
///     admission.begin(
///       layer: layer, requests, experts: selected.span, expertsPerToken: 8, in: &cache)
///     while let grant = admission.next(in: &cache) { ... }  // a miss is read
///     // compute request 0
///     admission.release(0, in: &cache)
///     while let grant = admission.next(in: &cache) { ... }
///
/// Whoever reads marks slots resident, or removes the expert where a read fails. Nothing allocates
/// after `init`.
package struct StepAdmission: Sendable {
  /// A request has a slot, with one pin on it that `release` takes away.
  package struct Grant: Sendable, Equatable {
    /// Place in the requests.
    package var number: Int
    package var slot: Int
    /// False where the expert must be read into the slot, which is loading.
    package var isHit: Bool
    /// Whose bytes the slot held, nil where it was empty or the request hit.
    package var evicted: ExpertID?
  }

  private let geometry: CacheGeometry
  private let ownSlotCounts: [Int]
  private var clock: StepClock
  private var layer = 0
  private var requests: [ExpertRequest] = []
  /// (number): the slot that the request holds; -1 before it has one, -2 once it is released.
  private var slots: [Int] = []
  /// Decisions that `next` has not told yet, from `firstGrant` on.
  private var grants: [Grant] = []
  private var firstGrant = 0
  /// The first request that may have no slot yet, where slots are handed out in turn.
  private var nextToAdmit = 0
  /// Slots that the step holds, and may hold.
  package private(set) var claimCount = 0
  package private(set) var claimLimit = 0
  /// Working space: requests in the order of hits first, their numbers, and what came of them.
  private var ranked: [ExpertRequest] = []
  private var rankedNumbers: [Int] = []
  private var outcomes: [RequestedExpert] = []

  /// - Parameter ownSlotCounts: By class, the slots of `geometry` that nobody takes back: how many
  ///   a step may hold depends on these alone. Nil: all.
  package init(geometry: CacheGeometry, ownSlotCounts: [Int]? = nil) {
    self.geometry = geometry
    self.ownSlotCounts = ownSlotCounts ?? geometry.slotRanges.map(\.count)
    precondition(self.ownSlotCounts.count == geometry.slotRanges.count)
    clock = StepClock(sequenceCountMax: geometry.sequenceCountMax)
    let largest = geometry.layers.map(\.expertCount).max() ?? 0
    requests.reserveCapacity(largest)
    slots.reserveCapacity(largest)
    grants.reserveCapacity(largest)
    ranked.reserveCapacity(largest)
    rankedNumbers.reserveCapacity(largest)
    outcomes.reserveCapacity(largest)
  }

  /// Cache time of the first row of the step.
  package var firstTime: Int { clock.time }

  /// A step through all layers begins, whose rows belong to these sequences.
  package mutating func beginStep(_ runs: Span<SequenceRun>) { clock.beginStep(runs) }

  /// The same with rows of the first sequence alone.
  package mutating func beginStep(rowCount: Int) {
    let run: [1 of SequenceRun] = [SequenceRun(SequenceID(rawValue: 0), rowCount: rowCount)]
    clock.beginStep(run.span)
  }

  /// Calls `body` with the number of each row of the step that policies hear of, ascending: those
  /// whose experts `begin` takes.
  package func forEachKnownRow(_ body: (_ row: Int) -> Void) {
    var start = 0
    for index in clock.runs.indices {
      let end = start + clock.rowCounts[index]
      for row in end - clock.runs[index].rowCount..<end { body(row) }
      start = end
    }
  }

  /// Slots that a step on a layer may hold at a time: its even share of the class's own. With more,
  /// experts that come and go once in a chunk would drive out those that other layers want again.
  package func claimLimit(layer: Int, expertsPerToken: Int) -> Int {
    let sizeClass = geometry.layers[layer].sizeClass
    let slotCount = ownSlotCounts[sizeClass]
    let share = slotCount / max(1, geometry.layersByClass[sizeClass].count)
    return max(share, min(expertsPerToken, slotCount))
  }

  /// A step on a layer wants some experts.
  ///
  /// - Parameters:
  ///   - requests: Each expert once, ascending.
  ///   - experts: (known row, rank), best first, -1 behind the last where a row takes fewer. A step
  ///     of one sequence may leave out its first rows.
  package mutating func begin(
    layer: Int, _ requests: [ExpertRequest], experts: Span<Int>, expertsPerToken: Int,
    in cache: inout ExpertCache
  ) {
    assert(slots.allSatisfy { $0 < 0 }, "the step before holds slots")
    end()
    self.layer = layer
    clock.keepLast(experts.count / expertsPerToken)
    for request in requests {
      self.requests.append(request)
      slots.append(-1)
    }
    // The same memory under a name of its own, which a span of it may hold meanwhile.
    let runs = clock.runs
    cache.beginStep(
      LayerStep(
        layer: layer, time: clock.time + clock.rowCount - 1, experts: experts,
        expertsPerToken: expertsPerToken, runs: runs.span))
    claimLimit = claimLimit(layer: layer, expertsPerToken: expertsPerToken)
    if requests.count <= claimLimit {
      claimAll(in: &cache)
    } else {
      claimResidents(in: &cache)
    }
  }

  /// Hits first, then the others, by rank and then by row.
  private mutating func claimAll(in cache: inout ExpertCache) {
    for number in requests.indices {
      let request = requests[number]
      var place = rankedNumbers.count
      while place > 0, Self.isBetter(request, than: ranked[place - 1]) { place -= 1 }
      rankedNumbers.insert(number, at: place)
      ranked.insert(request, at: place)
    }
    cache.request(ranked, layer: layer, firstTime: clock.time, into: &outcomes)
    for (place, outcome) in outcomes.enumerated() {
      guard let slot = outcome.slot else {
        preconditionFailure("a class has a slot for each expert of a step that fits")
      }
      grant(rankedNumbers[place], slot, isHit: outcome.isHit, evicted: outcome.evicted)
    }
    nextToAdmit = requests.count
  }

  private static func isBetter(_ left: ExpertRequest, than right: ExpertRequest) -> Bool {
    (left.rank, left.lastToken, left.expert) < (right.rank, right.lastToken, right.expert)
  }

  /// Residents are kept for their turn, but some slots must go round for the others.
  private mutating func claimResidents(in cache: inout ExpertCache) {
    var kept = claimLimit - max(1, min(8, claimLimit / 2))
    for number in requests.indices where kept > 0 {
      if claim(number, in: &cache) { kept -= 1 }
    }
  }

  /// What is decided next; nil where nothing more is before another release.
  package mutating func next(in cache: inout ExpertCache) -> Grant? {
    if firstGrant == grants.count { admitInTurn(in: &cache) }
    guard firstGrant < grants.count else { return nil }
    firstGrant += 1
    return grants[firstGrant - 1]
  }

  /// Gives a slot to the next request that has none, if the step may hold another.
  private mutating func admitInTurn(in cache: inout ExpertCache) {
    while nextToAdmit < requests.count, slots[nextToAdmit] != -1 { nextToAdmit += 1 }
    guard nextToAdmit < requests.count, claimCount < claimLimit else { return }
    if claim(nextToAdmit, in: &cache) { return }
    guard
      let admission = cache.admit(requests[nextToAdmit], layer: layer, firstTime: clock.time)
    else { return }
    grant(nextToAdmit, admission.slot, isHit: false, evicted: admission.evicted)
  }

  private mutating func claim(_ number: Int, in cache: inout ExpertCache) -> Bool {
    guard let slot = cache.claim(requests[number], layer: layer, firstTime: clock.time) else {
      return false
    }
    grant(number, slot, isHit: true, evicted: nil)
    return true
  }

  private mutating func grant(_ number: Int, _ slot: Int, isHit: Bool, evicted: ExpertID?) {
    slots[number] = slot
    claimCount += 1
    grants.append(Grant(number: number, slot: slot, isHit: isHit, evicted: evicted))
  }

  /// Whether a request has a slot, of which `next` has told or will tell.
  package func holdsSlot(_ number: Int) -> Bool { slots[number] >= 0 }

  /// A request's expert is needed no more: its slot may go to another.
  package mutating func release(_ number: Int, in cache: inout ExpertCache) {
    precondition(slots[number] >= 0, "a request is released that holds no slot")
    cache.unpin(slots[number])
    slots[number] = -2
    claimCount -= 1
  }

  /// Forgets the step. Slots that were not released are pinned still.
  package mutating func end() {
    requests.removeAll(keepingCapacity: true)
    slots.removeAll(keepingCapacity: true)
    grants.removeAll(keepingCapacity: true)
    ranked.removeAll(keepingCapacity: true)
    rankedNumbers.removeAll(keepingCapacity: true)
    outcomes.removeAll(keepingCapacity: true)
    (firstGrant, nextToAdmit, claimCount) = (0, 0, 0)
  }
}
