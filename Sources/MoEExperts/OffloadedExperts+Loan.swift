import MoECache
import MoECore
import MoEStore

/// The lent part of the pool: memory of something that does not need it yet, taken back piece by
/// piece as that grows, and given again when it has shrunk.
///
/// Slots whose memory goes are withdrawn from the cache, experts and all; layers' floors follow. So
/// hits depend on how far a sequence has come, and results do not.
extension OffloadedExperts {
  package func setLoan(byteCount: Int) {
    assert(entries.isEmpty, "a step is in progress")
    let wanted = pool.lentPlaceCount(byteCount: byteCount)
    if wanted < lentPlaceCount {
      // Nothing may be on its way into memory that goes. A failure stays with the reader, which
      // throws it at the next request.
      try? endWarmUp()
      reader.drain()
      forgetStagings()
      forgetWarmUp()
      let going = pool.lentPlaces(wanted..<lentPlaceCount)
      for slot in placeOfSlot.indices where going.contains(placeOfSlot[slot]) {
        cache.withdraw(slot)
        isWithdrawn[slot] = true
      }
      for index in staged.indices where going.contains(staged[index].place) {
        exchangeForSlot(stagedIndex: index)
      }
    }
    pool.discardLent(from: byteCount)
    if wanted > lentPlaceCount {
      let coming = pool.lentPlaces(lentPlaceCount..<wanted)
      for slot in placeOfSlot.indices where isWithdrawn[slot] && coming.contains(placeOfSlot[slot])
      {
        cache.restore(slot)
        isWithdrawn[slot] = false
      }
    }
    lentPlaceCount = wanted
  }

  /// A place for staging that goes is exchanged for that of a slot of the class, which is withdrawn
  /// in its stead.
  private func exchangeForSlot(stagedIndex index: Int) {
    let slots = cache.geometry.slotRanges[staged[index].sizeClass]
    guard let slot = slots.last(where: { !isWithdrawn[$0] }) else {
      preconditionFailure("a class has more slots than the loan")
    }
    cache.withdraw(slot)
    isWithdrawn[slot] = true
    (staged[index].place, placeOfSlot[slot]) = (placeOfSlot[slot], staged[index].place)
    if staged[index].state != .empty { countWaste(staged[index]) }
    staged[index].state = .empty
  }
}
