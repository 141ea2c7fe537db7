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
    outcomes.removeAll(keepingCapacity: true)
    if !experts.isEmpty {
      beginStep(
        LayerStep(layer: layer, time: time, experts: experts, expertsPerToken: experts.count))
    }
    for rank in experts.indices {
      let expert = ExpertID(layer: layer, index: experts[rank])
      let slot = lookup(expert)
      if let slot {
        recordUse(expert, time: time, tokenCount: tokenCount, rank: rank)
        pin(slot)
      }
      outcomes.append(RequestedExpert(expert: expert, slot: slot, isHit: slot != nil))
    }
    for rank in outcomes.indices where outcomes[rank].slot == nil {
      let expert = outcomes[rank].expert
      if let slot = lookup(expert) {
        recordUse(expert, time: time, tokenCount: tokenCount, rank: rank)
        outcomes[rank].slot = slot
        outcomes[rank].isHit = true
      } else if let admission = admit(
        expert, time: time, tokenCount: tokenCount, rank: rank)
      {
        outcomes[rank].slot = admission.slot
        outcomes[rank].evicted = admission.evicted
      }
      if let slot = outcomes[rank].slot { pin(slot) }
    }
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
