/// Slots of each layer in ascending order of worth, as intrusive lists.
///
/// Policies that order slots by one number share this. The number falls at one rate for all slots
/// as time passes, so the order within a layer changes only where a slot is used, and layers are
/// compared through their least worthy slots: finding a victim takes a glance at every layer of
/// the class, not at every slot.
///
/// Worth is taken as of each layer's own last step. Within one token the layers already run have
/// clocks one ahead of those to come; compared by plain time, the residents of the layers to come
/// would all look one token older just before their turn, and a pool smaller than a token's
/// working set would evict each expert right before its next use.
struct RankedSlots: Sendable {
  private struct Node {
    var worth = 0.0
    var rank: Int32 = 0
    var layer: Int32 = -1
    /// Neighbours in the layer's list, -1 at its ends.
    var lower: Int32 = -1
    var higher: Int32 = -1
  }

  private let lossPerToken: Double
  private var nodes: [Node]
  /// By layer: ends of its list, -1 where it is empty.
  private var lowest: [Int32]
  private var highest: [Int32]
  /// By layer: time of its last step.
  private var clocks: [Int]

  /// `lossPerToken` is what every slot's worth falls by when time advances by one token. Worths
  /// are given as they would be at time 0, that is, without any loss.
  init(geometry: CacheGeometry, lossPerToken: Double) {
    self.lossPerToken = lossPerToken
    nodes = [Node](repeating: Node(), count: geometry.slotCount)
    lowest = [Int32](repeating: -1, count: geometry.layers.count)
    highest = lowest
    clocks = [Int](repeating: 0, count: geometry.layers.count)
  }

  func worth(of slot: Int) -> Double { nodes[slot].worth }

  mutating func advanceClock(of layer: Int, to time: Int) {
    clocks[layer] = max(clocks[layer], time)
  }

  /// Puts a slot that is in no list into its place in the layer's.
  ///
  /// Among even worths the better (smaller) rank is worth more, then the later call. The search
  /// starts at the worthiest slot, where a slot just used belongs.
  mutating func insert(_ slot: Int, layer: Int, worth: Double, rank: Int) {
    var node = Node(worth: worth, rank: Int32(clamping: rank), layer: Int32(layer))
    node.lower = highest[layer]
    while node.lower >= 0, isWorthMore(Int(node.lower), than: node) {
      node.higher = node.lower
      node.lower = nodes[Int(node.lower)].lower
    }
    nodes[slot] = node
    link(node, lower: Int32(slot), higher: Int32(slot))
  }

  mutating func remove(_ slot: Int) {
    let node = nodes[slot]
    link(node, lower: node.higher, higher: node.lower)
    nodes[slot].layer = -1
  }

  /// Sets what the neighbours of a node, or the ends of its list, point at.
  private mutating func link(_ node: Node, lower: Int32, higher: Int32) {
    let layer = Int(node.layer)
    if node.lower >= 0 { nodes[Int(node.lower)].higher = lower } else { lowest[layer] = lower }
    if node.higher >= 0 { nodes[Int(node.higher)].lower = higher } else { highest[layer] = higher }
  }

  private func isWorthMore(_ slot: Int, than node: Node) -> Bool {
    let other = nodes[slot]
    return other.worth == node.worth ? other.rank < node.rank : other.worth > node.worth
  }

  /// The least worthy unpinned slot among the layers that may give one to `layer`; where those
  /// have pinned all of theirs, among all layers of the class.
  func victim(for layer: Int, in table: borrowing SlotTable) -> Int? {
    leastWorthy(for: layer, in: table, respectingFloors: true)
      ?? leastWorthy(for: layer, in: table, respectingFloors: false)
  }

  /// Layers are asked in the order in which their next turn is furthest away: this one, those
  /// before it, the last one, and so on down to the next one. The first of even slots is taken.
  private func leastWorthy(
    for layer: Int, in table: borrowing SlotTable, respectingFloors: Bool
  ) -> Int? {
    let layers = table.geometry.layersByClass[table.geometry.layers[layer].sizeClass]
    let start = table.geometry.placesInClass[layer]
    var best: Int?
    var bestWorth = Double.infinity
    var bestRank: Int32 = -1
    for step in 0..<layers.count {
      let giver = layers[start >= step ? start - step : start - step + layers.count]
      if respectingFloors && !table.mayGive(giver, to: layer) { continue }
      var slot = lowest[giver]
      while slot >= 0, table.isPinned(Int(slot)) { slot = nodes[Int(slot)].higher }
      guard slot >= 0 else { continue }
      let worth = nodes[Int(slot)].worth - Double(clocks[giver]) * lossPerToken
      let rank = nodes[Int(slot)].rank
      if best == nil || worth < bestWorth || (worth == bestWorth && rank > bestRank) {
        (best, bestWorth, bestRank) = (Int(slot), worth, rank)
      }
    }
    return best
  }
}
