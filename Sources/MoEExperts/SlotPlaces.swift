import MoECache
import MoECore

/// Whose bytes lie where in the pool.
///
/// Invariant: every slot of the cache and every staging slot has a place of its class, and no place
/// has two owners; a slot is withdrawn from the cache exactly where its place is in lent memory
/// that has been taken back. Staging slots never have such a place.
struct SlotPlaces: ~Copyable {
  let pool: ExpertPool
  /// (slot of the cache), (staging slot): its place.
  private var placeOfSlot: [Int]
  private var placeOfStagingSlot: [Int]
  /// (slot of the cache)
  private var isWithdrawn: [Bool]
  /// Lent places that are there now.
  private var lentPlaceCount: Int

  init(_ pool: consuming ExpertPool) {
    placeOfSlot = pool.placesOfSlots
    placeOfStagingSlot = []
    for sizeClass in pool.layout.classes.indices {
      placeOfStagingSlot += pool.stagingPlaces(sizeClass: sizeClass)
    }
    isWithdrawn = Array(repeating: false, count: placeOfSlot.count)
    lentPlaceCount = pool.slots.lent.count
    self.pool = pool
    assert(isSound)
  }

  /// Slots of the cache that are in use.
  var usableSlotCount: Int { isWithdrawn.count { !$0 } }

  func place(ofSlot slot: Int) -> Int { placeOfSlot[slot] }
  func place(ofStagingSlot number: Int) -> Int { placeOfStagingSlot[number] }

  func stagingSlot(at place: Int) -> Int? { placeOfStagingSlot.firstIndex(of: place) }

  /// What a staging slot holds becomes what the slot holds, and the other way round.
  mutating func exchange(slot: Int, stagingSlot number: Int) {
    assert(
      pool.sizeClass(ofPlace: placeOfSlot[slot])
        == pool.sizeClass(ofPlace: placeOfStagingSlot[number]))
    (placeOfSlot[slot], placeOfStagingSlot[number]) = (
      placeOfStagingSlot[number], placeOfSlot[slot]
    )
  }

  /// Whether memory that is there goes where no more than this is lent.
  func shrinks(toLoan byteCount: Int) -> Bool {
    pool.lentPlaceCount(byteCount: byteCount) < lentPlaceCount
  }

  /// Changes how much is lent: slots whose places go are withdrawn from the cache, experts and all,
  /// and those whose places come back return to it. Nothing may be on its way to a place that goes.
  ///
  /// - Parameter didLose: Called with each staging slot that lost what it held.
  mutating func setLoan(
    byteCount: Int, cache: inout ExpertCache, didLose: (_ stagingSlot: Int) -> Void
  ) {
    let wanted = pool.lentPlaceCount(byteCount: byteCount)
    if wanted < lentPlaceCount {
      let going = pool.lentPlaces(wanted..<lentPlaceCount)
      for slot in placeOfSlot.indices where going.contains(placeOfSlot[slot]) {
        withdraw(slot, from: &cache)
      }
      for number in placeOfStagingSlot.indices where going.contains(placeOfStagingSlot[number]) {
        giveWay(to: number, cache: &cache)
        didLose(number)
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
    assert(isSound)
  }

  private mutating func withdraw(_ slot: Int, from cache: inout ExpertCache) {
    cache.withdraw(slot)
    isWithdrawn[slot] = true
  }

  /// A staging slot whose place goes gets that of a slot of the class, which is withdrawn in its
  /// stead.
  private mutating func giveWay(to stagingSlot: Int, cache: inout ExpertCache) {
    let sizeClass = pool.sizeClass(ofPlace: placeOfStagingSlot[stagingSlot])
    guard let slot = cache.geometry.slotRanges[sizeClass].last(where: { !isWithdrawn[$0] }) else {
      preconditionFailure("a class has more slots than the loan")
    }
    withdraw(slot, from: &cache)
    exchange(slot: slot, stagingSlot: stagingSlot)
  }

  private var isSound: Bool {
    let owned = placeOfSlot + placeOfStagingSlot
    let missing = pool.lentPlaces(lentPlaceCount..<pool.slots.lent.count)
    return owned.count == pool.placeCount && Set(owned).count == owned.count
      && placeOfSlot.indices.allSatisfy { isWithdrawn[$0] == missing.contains(placeOfSlot[$0]) }
      && !placeOfStagingSlot.contains(where: missing.contains)
  }
}
