package import MoECore

/// What became of one expert of a request.
package struct RequestedExpert: Sendable, Equatable {
  package var expert: ExpertID
  /// Where it is or will be; nil where every slot of the class was pinned.
  package var slot: Int?
  /// False where the caller must read the expert into `slot`, or still has to admit it.
  package var isHit: Bool
  /// Whose bytes the slot held, nil where it was empty or the request hit.
  package var evicted: ExpertID?

  package init(expert: ExpertID, slot: Int?, isHit: Bool, evicted: ExpertID? = nil) {
    self.expert = expert
    self.slot = slot
    self.isHit = isHit
    self.evicted = evicted
  }
}

extension ExpertCache {
  /// Requests all experts that one step selected in one layer: the single event of which decoding
  /// and trace replay are made.
  ///
  /// Hits are counted and pinned first, then the others are admitted in the order given, so experts
  /// of one request never evict each other. `experts` are indices into the layer, best first; among
  /// experts of one time a better one counts as more recent. An expert named twice is admitted once
  /// and hit once. `outcomes` is overwritten, one entry per expert in the order given; reserve room
  /// for the largest request to keep this free of allocation.
  ///
  /// Every outcome with a slot holds one pin of the caller's: `unpin` it after use. A miss is
  /// loading besides: `markResident` it once read. An outcome without a slot, which happens where
  /// the class has fewer slots than the request experts, is counted nowhere: `admit` it after
  /// releasing some.
  package mutating func request(
    layer: Int, experts: Span<Int>, time: Int, tokenCount: Int = 1,
    into outcomes: inout [RequestedExpert]
  ) {
    if !experts.isEmpty {
      beginStep(
        LayerStep(layer: layer, time: time, experts: experts, expertsPerToken: experts.count))
    }
    // Out of the cache while it is gone through, so that it is not copied.
    var requests = selected
    selected = []
    requests.removeAll(keepingCapacity: true)
    for rank in experts.indices {
      requests.append(
        ExpertRequest(expert: experts[rank], lastToken: 0, rank: rank, tokenCount: tokenCount))
    }
    request(requests, layer: layer, firstTime: time, into: &outcomes)
    selected = requests
  }

  /// The same for any requests of a step that has begun, in the order given.
  ///
  /// - Parameter firstTime: Position of the step's first token.
  mutating func request(
    _ requests: [ExpertRequest], layer: Int, firstTime: Int, into outcomes: inout [RequestedExpert]
  ) {
    outcomes.removeAll(keepingCapacity: true)
    for request in requests {
      let slot = claim(request, layer: layer, firstTime: firstTime)
      let expert = ExpertID(layer: layer, index: request.expert)
      outcomes.append(RequestedExpert(expert: expert, slot: slot, isHit: slot != nil))
    }
    for (number, request) in requests.enumerated() where outcomes[number].slot == nil {
      if let slot = claim(request, layer: layer, firstTime: firstTime) {
        outcomes[number].slot = slot
        outcomes[number].isHit = true
      } else if let admission = admit(request, layer: layer, firstTime: firstTime) {
        outcomes[number].slot = admission.slot
        outcomes[number].evicted = admission.evicted
      }
    }
  }

  /// Counts a hit on a request's expert and pins it; nil, with nothing done, where it has no slot.
  mutating func claim(_ request: ExpertRequest, layer: Int, firstTime: Int) -> Int? {
    let expert = ExpertID(layer: layer, index: request.expert)
    guard let slot = lookup(expert) else { return nil }
    recordUse(
      expert, time: firstTime + request.lastToken, tokenCount: request.tokenCount,
      rank: request.rank)
    pin(slot)
    return slot
  }

  /// Gives a slot to a request's expert, which has none, and pins it; nil as of `admit`.
  mutating func admit(_ request: ExpertRequest, layer: Int, firstTime: Int) -> Admission? {
    let admission = admit(
      ExpertID(layer: layer, index: request.expert), time: firstTime + request.lastToken,
      tokenCount: request.tokenCount, rank: request.rank)
    if let admission { pin(admission.slot) }
    return admission
  }

  /// Ends a request whose loads are done: misses become resident, and the request's pins go.
  package mutating func finish(_ outcomes: [RequestedExpert]) {
    for outcome in outcomes {
      guard let slot = outcome.slot else { continue }
      if !outcome.isHit { markResident(slot) }
      unpin(slot)
    }
  }
}
