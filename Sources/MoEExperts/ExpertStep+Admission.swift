import MoECache
import MoECore

/// How a step's requests come by slots.
extension ExpertStep {
  /// All at once, experts best first: the single request that replay of a trace makes too. There
  /// must be slots for all of them.
  mutating func requestTogether(in cache: inout ExpertCache, time: Int) {
    claimLimit = entries.count
    rankedNumbers.removeAll(keepingCapacity: true)
    rankedExperts.removeAll(keepingCapacity: true)
    for rank in entries.indices {
      for number in entries.indices where entries[number].request.rank == rank {
        rankedNumbers.append(number)
        rankedExperts.append(entries[number].request.expert)
      }
    }
    // The same memory under a name of its own, which a span of it may hold while others change.
    let experts = rankedExperts
    cache.request(layer: layer, experts: experts.span, time: time, into: &outcomes)
    for (rank, outcome) in outcomes.enumerated() {
      guard let slot = outcome.slot else {
        preconditionFailure("a class has a slot for each expert of a token")
      }
      claim(rankedNumbers[rank], slot: slot, isHit: outcome.isHit)
    }
    nextToAdmit = entries.count
  }

  /// In the order in which the experts will be computed, as far ahead as the step may hold slots:
  /// for steps that may need more experts than there are.
  mutating func requestInTurn(in cache: inout ExpertCache, time: Int, limit: Int) {
    let last = entries.map(\.request.lastToken).max() ?? 0
    cache.beginStep(
      LayerStep(
        layer: layer, time: time + last, experts: selected.span,
        expertsPerToken: selectedPerToken))
    // Resident experts are kept for their turn, but some slots must go round for the others.
    claimLimit = limit
    var kept = limit - max(1, min(8, limit / 2))
    for number in entries.indices where kept > 0 {
      if claimResident(number, in: &cache, time: time) { kept -= 1 }
    }
  }

  /// Gives slots to requests in turn, as many as the step may hold. Returns the number of one that
  /// is to be read, and is to be called again then; nil once no more has a slot.
  mutating func admitNext(in cache: inout ExpertCache, time: Int) -> Int? {
    while nextToAdmit < entries.count {
      let number = nextToAdmit
      if entries[number].state == .pending {
        guard claimCount < claimLimit else { return nil }
        if claimResident(number, in: &cache, time: time) { continue }
        let request = entries[number].request
        guard
          let admission = cache.admit(
            expert(of: number), time: time + request.lastToken, tokenCount: request.tokenCount,
            rank: request.rank)
        else { return nil }
        cache.pin(admission.slot)
        claim(number, slot: admission.slot, isHit: false)
        nextToAdmit += 1
        return number
      }
      nextToAdmit += 1
    }
    return nil
  }

  /// Takes a request's expert if it has a slot already.
  private mutating func claimResident(
    _ number: Int, in cache: inout ExpertCache, time: Int
  ) -> Bool {
    let request = entries[number].request
    guard let slot = cache.lookup(expert(of: number)) else { return false }
    cache.recordUse(
      expert(of: number), time: time + request.lastToken, tokenCount: request.tokenCount,
      rank: request.rank)
    cache.pin(slot)
    claim(number, slot: slot, isHit: true)
    return true
  }
}
