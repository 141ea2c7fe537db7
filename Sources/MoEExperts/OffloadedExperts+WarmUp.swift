import MoECache
package import MoECore
import MoEStore

/// Warming up: while nobody waits for the disk, experts that an earlier run used most are read into
/// slots that are empty anyway. It ends when the first step begins, which waits for what is under
/// way and for nothing else. No result changes, and nothing is counted as asked for; but what is
/// there already is hit, so counters are no longer those of a replay that starts with an empty
/// pool.
extension OffloadedExperts {
  /// Starts to read experts, most wanted first, each layer up to its even share of the slots.
  ///
  /// Before the first step. A failure stays with the reader, which throws it at the first step.
  package func warmUp(_ experts: [ExpertID]) {
    warming.begin(experts)
    submitWarmUp()
  }

  /// Waits for one of the experts under way, and starts on others. False where that was the last.
  package func continueWarmUp() -> Bool {
    guard warming.underWayCount > 0 else { return false }
    do throws(ExpertError) {
      try reap(blocking: true)
    } catch {
      drain()
      return false
    }
    submitWarmUp()
    return warming.underWayCount > 0
  }

  /// Experts that were read this way.
  package var warmedExpertCount: Int { warming.expertCount }

  /// Those on their way.
  package var warmingCountUnderWay: Int { warming.underWayCount }

  /// Bytes that were read this way; no phase's.
  package var warmedByteCount: Int {
    warming.isOver ? warming.byteCount : reader.counters.readByteCount - countedReadByteCount
  }

  /// As many as the reader takes at a time.
  private func submitWarmUp() {
    while let expert = warming.next,
      reader.hasRoom(tagCount: 1, partCount: layout.layers[expert.layer].readCountPerExpert)
    {
      warming.advance()
      guard let slot = cache.adopt(expert) else { continue }
      let place = places.place(ofSlot: slot)
      warming.start(at: place, slot: slot)
      do {
        try submit(expert, to: place, priority: .prefetch)
      } catch {
        return warming.end()
      }
    }
  }

  /// A read into a slot that was warmed up is done; false where the place is none of those.
  func endWarming(at place: Int) -> Bool {
    guard let slot = warming.finish(at: place) else { return false }
    guard let expert = cache.table.expert(in: slot) else { return true }
    do throws(ExpertError) {
      try finish(expert, at: place)
    } catch {
      // Not warmed up then; what is wrong comes up again where the expert is needed.
      cache.remove(expert)
      return true
    }
    cache.markResident(slot)
    warming.expertCount += 1
    return true
  }

  /// The first step begins: what was not sent is withdrawn, the rest waited for.
  func endWarmUp() throws(ExpertError) {
    guard !warming.isOver else { return }
    warming.isOver = true
    warming.end()
    for place in warming.placesUnderWay where reader.cancel(tag: place) { giveUpWarming(at: place) }
    while warming.underWayCount > 0 { try reap(blocking: true) }
    warming.byteCount = takeReadByteCount()
  }

  /// After the reader was drained: nothing is on its way any more.
  func forgetWarmUp() {
    warming.end()
    for place in warming.placesUnderWay { giveUpWarming(at: place) }
  }

  private func giveUpWarming(at place: Int) {
    guard let slot = warming.finish(at: place), let expert = cache.table.expert(in: slot) else {
      return
    }
    cache.remove(expert)
  }
}

/// What was used, for the next run.
extension OffloadedExperts {
  /// The experts of each layer that were used most, as many as fill its even share of the slots;
  /// most uses first.
  package var hottestExperts: [ExpertID] {
    var hottest: [(expert: ExpertID, count: Int)] = []
    for (layer, share) in cache.table.evenShares.enumerated() {
      let counts = useCounts[cache.geometry.ordinals(of: layer)]
      let used = counts.enumerated().filter { $0.element > 0 }
        .sorted { ($1.element, $0.offset) < ($0.element, $1.offset) }
      hottest += used.prefix(share).map {
        (ExpertID(layer: layer, index: $0.offset), $0.element)
      }
    }
    return hottest.sorted { ($1.count, $0.expert) < ($0.count, $1.expert) }.map(\.expert)
  }
}
