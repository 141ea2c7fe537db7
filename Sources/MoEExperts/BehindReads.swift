import MoECore

/// Experts that steps went without and that are read all the same, for the next time.
///
/// Invariant: each is in a slot of the cache that is loading, and by that pinned, until the step on
/// its layer that comes next; so who may lose its slot meanwhile depends on what was asked for, and
/// not on when reads end.
struct BehindReads {
  private struct Entry {
    let expert: ExpertID
    let slot: Int
    let place: Int
    var isRead = false
  }

  private var entries: [Entry] = []

  mutating func begin(_ expert: ExpertID, slot: Int, place: Int) {
    entries.append(Entry(expert: expert, slot: slot, place: place))
  }

  /// The expert that was being read to a place; nil where none was. It stays until it is taken.
  mutating func endReading(at place: Int) -> ExpertID? {
    guard let index = entries.firstIndex(where: { $0.place == place && !$0.isRead }) else {
      return nil
    }
    entries[index].isRead = true
    return entries[index].expert
  }

  /// Forgets an expert that could not be made ready.
  mutating func remove(_ expert: ExpertID) { entries.removeAll { $0.expert == expert } }

  /// Whether any of a layer's experts, or of all layers', is being read still.
  func isReading(layer: Int?) -> Bool {
    entries.contains { !$0.isRead && (layer == nil || $0.expert.layer == layer) }
  }

  /// The slots of a layer's experts, or of all layers', which have been read.
  mutating func take(layer: Int?) -> [Int] {
    let taken = entries.filter { layer == nil || $0.expert.layer == layer }
    entries.removeAll { layer == nil || $0.expert.layer == layer }
    return taken.map(\.slot)
  }

  /// Those that have not been read, which are then forgotten.
  mutating func takeUnread() -> [ExpertID] {
    let taken = entries.filter { !$0.isRead }.map(\.expert)
    entries.removeAll { !$0.isRead }
    return taken
  }

  /// How many are of some layers.
  func count(where isCounted: (_ layer: Int) -> Bool) -> Int {
    entries.count { isCounted($0.expert.layer) }
  }
}
