import MoECache
import MoECore
import MoEStore

/// Reading behind: an expert that a step went without gets a slot and is read while others compute.
/// It counts as resident from then on; the next step on its layer waits for it if it must.
extension OffloadedExperts {
  /// Starts to read an expert that the step that has just ended on its layer went without. False
  /// where it has a slot, or where as many are read behind as slots allow.
  func readBehind(_ expert: ExpertID, rank: Int) -> Bool {
    assert(step.isOver, "a step is in progress")
    let largest = layout.expertCountMax + 1
    guard cache.lookup(expert) == nil, hasRoomBehind(layer: expert.layer),
      reader.hasRoom(tagCount: largest, partCount: layout.partCountMax * largest),
      let admission = cache.admit(expert, time: step.lastTime, rank: rank)
    else { return false }
    let place = places.place(ofSlot: admission.slot)
    do {
      try submit(expert, to: place, priority: .prefetch)
    } catch {
      // Not read then; what is wrong comes up again where the expert is needed.
      cache.remove(expert)
      return false
    }
    behind.begin(expert, slot: admission.slot, place: place)
    statistics[phase].behindCount += 1
    return true
  }

  /// Whether a layer's class has a slot that no step needs while it is being filled.
  private func hasRoomBehind(layer: Int) -> Bool {
    let classOfLayer = places.pool.layout.classOfLayer
    let sizeClass = places.pool.layout.sizeClass(ofLayer: layer)
    let slotCount = places.pool.slots.cached[sizeClass]
    let members = classOfLayer.indices.filter { classOfLayer[$0] == sizeClass }
    let needed = members.reduce(0) { most, member in
      max(
        most,
        step.claimLimit(layer: member, expertsPerToken: layout.layers[member].expertsPerToken))
    }
    let count = behind.count { classOfLayer[$0] == sizeClass }
    return count < (slotCount - needed) / 2
  }

  /// Waits for what was read behind for a layer, or for all: it is there like any other then.
  func settleBehind(layer: Int?) throws(ExpertError) {
    while behind.isReading(layer: layer) { try reap(blocking: true) }
    for slot in behind.take(layer: layer) { cache.markResident(slot) }
  }

  /// A read of an expert behind a step is done; false where the place is none of those.
  func endBehind(at place: Int) -> Bool {
    guard let expert = behind.endReading(at: place) else { return false }
    do throws(ExpertError) {
      try finish(expert, at: place)
    } catch {
      // Not there then; what is wrong comes up again where the expert is needed.
      behind.remove(expert)
      cache.remove(expert)
    }
    return true
  }

  /// After the reader was drained: nothing is on its way any more.
  func forgetBehind() {
    for expert in behind.takeUnread() { cache.remove(expert) }
  }
}
