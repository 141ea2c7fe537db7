import MoECache
import MoECore

/// Steps of many tokens, which may need more experts than the pool has slots: slots are handed out
/// in the order in which the experts will be computed, as far ahead as there are slots.
extension OffloadedExperts {
  func requestInTurn() throws(ExpertError) {
    let last = entries.map(\.request.lastToken).max() ?? 0
    cache.beginStep(
      LayerStep(
        layer: layer, time: passTime + last, experts: selected.span,
        expertsPerToken: selectedPerToken))
    // Resident experts are kept for their turn, but some slots must go round for the others.
    claimLimit = claimCountMax
    var kept = claimLimit - max(1, min(8, claimLimit / 2))
    for number in entries.indices where kept > 0 {
      if claimResident(number) { kept -= 1 }
    }
    nextToAdmit = 0
    try admitPending()
  }

  /// Slots that a step may hold at a time: its layer's even share of the class. With more, experts
  /// that come and go once in a chunk would drive out those that other layers want again.
  private var claimCountMax: Int {
    let sizeClass = pool.layout.classes[pool.layout.sizeClass(ofLayer: layer)]
    let slotCount = simultaneousExpertCount(layer: layer)
    let share = slotCount / sizeClass.layers.count
    return max(share, min(layout.layers[layer].expertsPerToken, slotCount))
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
    claimCount += 1
    countRequest(isHit: true)
    return true
  }

  /// Gives slots to entries in turn, as many as the step may hold.
  func admitPending() throws(ExpertError) {
    while nextToAdmit < entries.count {
      let number = nextToAdmit
      if entries[number].state == .pending {
        guard claimCount < claimLimit else { return }
        if claimResident(number) { continue }
        let request = entries[number].request
        guard
          let admission = cache.admit(
            ExpertID(layer: layer, index: request.expert),
            time: passTime + request.lastToken, tokenCount: request.tokenCount,
            rank: request.rank)
        else { return }
        cache.pin(admission.slot)
        entries[number].slot = admission.slot
        claimCount += 1
        countRequest(isHit: false)
        try load(number)
      }
      nextToAdmit += 1
    }
  }
}
