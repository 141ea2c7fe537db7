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
    assert(step.isOver, "a step is in progress")
    if places.shrinks(toLoan: byteCount) {
      // Nothing may be on its way into memory that goes. A failure stays with the reader, which
      // throws it at the next request.
      try? endWarmUp()
      try? settleBehind(layer: nil)
      drain()
    }
    places.setLoan(byteCount: byteCount, cache: &cache) { number in
      if prefetcher.slots[number].state != .empty { countWaste(prefetcher.slots[number]) }
      prefetcher.empty(number)
    }
  }
}
