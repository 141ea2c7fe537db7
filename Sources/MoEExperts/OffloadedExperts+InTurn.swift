import MoECache
import MoECore

/// Steps of many tokens, which may need more experts than the pool has slots: slots are handed out in
/// the order in which the experts will be computed, as far ahead as there are slots.
extension OffloadedExperts {
  func requestInTurn() throws(ExpertError) {
    let last = entries.map(\.request.lastToken).max() ?? 0
    cache.beginStep(layer: layer, time: passTime + last)
    // Resident experts are kept for their turn, but some slots must go round for the others.
    let slotCount = simultaneousExpertCount(layer: layer)
    var kept = slotCount - max(1, min(8, slotCount / 2))
    for number in entries.indices where kept > 0 {
      if claimResident(number) { kept -= 1 }
    }
    nextToAdmit = 0
    try admitPending()
  }

  /// Takes an entry's expert if it has a slot already.
  private func claimResident(_ number: Int) -> Bool {
    let request = entries[number].request
    let expert = ExpertID(layer: layer, index: request.expert)
    guard let slot = cache.lookup(expert) else { return false }
    cache.recordUse(
      expert, time: passTime + request.lastToken, tokenCount: request.tokenCount,
      rank: request.rank)
    cache.pin(slot)
    entries[number].slot = slot
    entries[number].state = .ready
    countRequest(isHit: true)
    return true
  }

  /// Gives slots to entries in turn, until all have one or none is free.
  func admitPending() throws(ExpertError) {
    while nextToAdmit < entries.count {
      let number = nextToAdmit
      if entries[number].state == .pending && !claimResident(number) {
        let request = entries[number].request
        guard
          let admission = cache.admit(
            ExpertID(layer: layer, index: request.expert),
            time: passTime + request.lastToken, tokenCount: request.tokenCount,
            rank: request.rank)
        else { return }
        cache.pin(admission.slot)
        entries[number].slot = admission.slot
        countRequest(isHit: false)
        try load(number)
      }
      nextToAdmit += 1
    }
  }
}
