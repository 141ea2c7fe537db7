package import MoECore

/// What a slot is doing.
package enum SlotState: UInt8, Sendable {
  case empty
  /// Promised to an expert whose bytes are on their way; never a victim.
  case loading
  case resident
  /// Out of use: its memory serves something else.
  case withdrawn
}

/// Which expert sits in which slot, and which slots may be taken from it.
///
/// The part of the cache that every eviction policy may read and none may write.
package struct SlotTable: Sendable {
  package let geometry: CacheGeometry
  /// Per layer, the residents that other layers must leave it.
  package private(set) var floors: [Int]
  /// Per layer, its part of an even division of the slots that are in use.
  package private(set) var evenShares: [Int]
  /// Slots that are in use.
  package private(set) var usableSlotCount: Int
  private let floorShare: Double
  /// Per class, slots that are out of use.
  private var withdrawnCounts: [Int]
  /// Per layer, slots that hold its experts, loading ones included.
  package private(set) var residentCounts: [Int]
  /// By expert ordinal; -1 where the expert has no slot.
  private var slots: [Int32]
  private var experts: [ExpertID]
  private var states: [SlotState]
  private var pinCounts: [Int32]
  /// Experts with a slot.
  private(set) var residents: ExpertSets
  /// Per class, a stack of empty slots; room for all of them is reserved once.
  private var emptySlots: [[Int]]

  init(geometry: CacheGeometry, floorShare: Double) {
    self.geometry = geometry
    self.floorShare = floorShare
    withdrawnCounts = geometry.slotRanges.map { _ in 0 }
    floors = geometry.floors(share: floorShare, withdrawnCounts: withdrawnCounts)
    evenShares = geometry.floors(share: 1)
    usableSlotCount = geometry.slotCount
    residentCounts = [Int](repeating: 0, count: geometry.layers.count)
    slots = [Int32](repeating: -1, count: geometry.expertCount)
    let count = geometry.slotCount
    experts = [ExpertID](repeating: ExpertID(layer: -1, index: -1), count: count)
    states = [SlotState](repeating: .empty, count: count)
    pinCounts = [Int32](repeating: 0, count: count)
    residents = ExpertSets(geometry: geometry)
    emptySlots = geometry.slotRanges.map { $0.reversed() }
  }

  package func isPinned(_ slot: Int) -> Bool { pinCounts[slot] > 0 }
  package func state(of slot: Int) -> SlotState { states[slot] }

  package func expert(in slot: Int) -> ExpertID? {
    isTaken(slot) ? experts[slot] : nil
  }

  private func isTaken(_ slot: Int) -> Bool {
    states[slot] == .loading || states[slot] == .resident
  }

  func slot(of expert: ExpertID) -> Int? { slot(ofOrdinal: geometry.ordinal(of: expert)) }

  func slot(ofOrdinal ordinal: Int) -> Int? {
    let slot = slots[ordinal]
    return slot < 0 ? nil : Int(slot)
  }

  /// Whether a layer may give a slot away for a new expert of `layer` (both of one size class).
  ///
  /// Others give what they hold above their floor. A layer gives to itself once it has reached its
  /// floor; below that it grows at the cost of those above theirs.
  package func mayGive(_ giver: Int, to layer: Int) -> Bool {
    let count = residentCounts[giver]
    return giver == layer ? count >= floors[giver] : count > floors[giver]
  }

  mutating func takeEmptySlot(sizeClass: Int) -> Int? { emptySlots[sizeClass].popLast() }

  /// Gives an empty slot to an expert that has none. It is loading, and pinned by that.
  mutating func assign(_ slot: Int, to expert: ExpertID) {
    precondition(states[slot] == .empty && self.slot(of: expert) == nil)
    experts[slot] = expert
    states[slot] = .loading
    pinCounts[slot] = 1
    slots[geometry.ordinal(of: expert)] = Int32(slot)
    residentCounts[expert.layer] += 1
    residents.insert(expert)
  }

  /// Takes an unpinned slot from its expert; the slot is empty but on no stack.
  mutating func vacate(_ slot: Int) -> ExpertID {
    precondition(isTaken(slot) && pinCounts[slot] == 0)
    let expert = experts[slot]
    states[slot] = .empty
    slots[geometry.ordinal(of: expert)] = -1
    residentCounts[expert.layer] -= 1
    residents.remove(expert)
    return expert
  }

  mutating func putBack(emptySlot slot: Int, sizeClass: Int) {
    precondition(states[slot] == .empty)
    emptySlots[sizeClass].append(slot)
  }

  /// Takes an empty slot out of use, on the stack or not.
  mutating func withdraw(_ slot: Int, sizeClass: Int) {
    precondition(states[slot] == .empty)
    emptySlots[sizeClass].removeAll { $0 == slot }
    states[slot] = .withdrawn
    changeWithdrawnCount(of: sizeClass, by: 1)
  }

  /// Brings a slot back into use, empty.
  mutating func restore(_ slot: Int, sizeClass: Int) {
    precondition(states[slot] == .withdrawn)
    states[slot] = .empty
    // The last to be taken: others are there whatever happens.
    emptySlots[sizeClass].insert(slot, at: 0)
    changeWithdrawnCount(of: sizeClass, by: -1)
  }

  private mutating func changeWithdrawnCount(of sizeClass: Int, by change: Int) {
    withdrawnCounts[sizeClass] += change
    usableSlotCount -= change
    floors = geometry.floors(share: floorShare, withdrawnCounts: withdrawnCounts)
    evenShares = geometry.floors(share: 1, withdrawnCounts: withdrawnCounts)
  }

  mutating func pin(_ slot: Int) {
    precondition(isTaken(slot))
    pinCounts[slot] += 1
  }

  mutating func unpin(_ slot: Int) {
    precondition(pinCounts[slot] > (states[slot] == .loading ? 1 : 0))
    pinCounts[slot] -= 1
  }

  mutating func endLoading(_ slot: Int) {
    precondition(states[slot] == .loading)
    states[slot] = .resident
    pinCounts[slot] -= 1
  }
}
