import MoECore

/// Second chance: a hand passes over the slots, spares those used since it last came by, and stops
/// at the first that was not.
///
/// The slots of a layer form a ring with a hand of its own, and the layers of a class take turns:
/// one round of a layer's ring, then the next layer's. That is one clock over all slots of the
/// class which skips a layer at its floor in one step.
struct Clock: EvictionPolicy {
  private let geometry: CacheGeometry
  /// Rings of slots, one per layer.
  private var next: [Int32]
  private var previous: [Int32]
  /// By layer, the slot the hand will look at next; -1 where the ring is empty.
  private var hands: [Int32]
  private var wasUsed: [Bool]
  /// By class, whose turn it is (a place in the class's list of layers), and the looks left in it.
  private var turns: [(place: Int, looksLeft: Int)]

  init(geometry: CacheGeometry) {
    self.geometry = geometry
    next = [Int32](repeating: -1, count: geometry.slotCount)
    previous = next
    hands = [Int32](repeating: -1, count: geometry.layers.count)
    wasUsed = [Bool](repeating: false, count: geometry.slotCount)
    turns = geometry.slotRanges.map { _ in (0, 0) }
  }

  mutating func beginStep(_ step: borrowing LayerStep, in table: borrowing SlotTable) {}

  /// A new slot goes in just behind the hand, where it is looked at last, without a use to spare:
  /// the round that it waits for is its first chance.
  mutating func insert(_ slot: Int, for use: ExpertUse) {
    wasUsed[slot] = false
    let hand = hands[use.layer]
    guard hand >= 0 else {
      (next[slot], previous[slot], hands[use.layer]) = (Int32(slot), Int32(slot), Int32(slot))
      return
    }
    let last = previous[Int(hand)]
    (previous[slot], next[slot]) = (last, hand)
    next[Int(last)] = Int32(slot)
    previous[Int(hand)] = Int32(slot)
  }

  mutating func touch(_ slot: Int, for use: ExpertUse) { wasUsed[slot] = true }

  mutating func remove(_ slot: Int, of expert: ExpertID) {
    let layer = expert.layer
    let following = next[slot]
    if hands[layer] == Int32(slot) { hands[layer] = following == Int32(slot) ? -1 : following }
    next[Int(previous[slot])] = following
    previous[Int(following)] = previous[slot]
  }

  mutating func victim(for expert: ExpertID, in table: borrowing SlotTable) -> Int? {
    sweep(for: expert.layer, in: table, respectingFloors: true)
      ?? sweep(for: expert.layer, in: table, respectingFloors: false)
  }

  /// After two full turns of every layer each unpinned slot has been looked at without a use to
  /// spare it; one turn more, since the first may have begun in the middle of a layer.
  private mutating func sweep(
    for layer: Int, in table: borrowing SlotTable, respectingFloors: Bool
  ) -> Int? {
    let sizeClass = geometry.layers[layer].sizeClass
    let layers = geometry.layersByClass[sizeClass]
    for _ in 0...2 * layers.count {
      let giver = layers[turns[sizeClass].place]
      if !respectingFloors || table.mayGive(giver, to: layer) {
        while turns[sizeClass].looksLeft > 0, hands[giver] >= 0 {
          turns[sizeClass].looksLeft -= 1
          let slot = Int(hands[giver])
          hands[giver] = next[slot]
          if table.isPinned(slot) { continue }
          if !wasUsed[slot] { return slot }
          wasUsed[slot] = false
        }
      }
      let place = (turns[sizeClass].place + 1) % layers.count
      turns[sizeClass] = (place, table.residentCounts[layers[place]])
    }
    return nil
  }
}
