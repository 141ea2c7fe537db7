import MoECore

/// Experts that are read into empty slots before anything asks for them, most wanted first.
///
/// Invariant: a place that it is filling belongs to a slot of the cache that is loading, not
/// pinned, and asked for by nobody; once the first step has begun there is none.
struct WarmUp {
  private var wanted: [ExpertID] = []
  private var position = 0
  /// (place): the slot that is being filled there, -1 where none is.
  private var slotOfPlace: [Int]
  private(set) var underWayCount = 0
  /// What has been read so far.
  var expertCount = 0
  var byteCount = 0
  /// Whether a step has begun.
  var isOver = false

  init(placeCount: Int) { slotOfPlace = Array(repeating: -1, count: placeCount) }

  mutating func begin(_ experts: [ExpertID]) {
    wanted = experts
    position = 0
  }

  var next: ExpertID? { position < wanted.count ? wanted[position] : nil }

  mutating func advance() { position += 1 }

  mutating func end() {
    wanted = []
    position = 0
  }

  mutating func start(at place: Int, slot: Int) {
    slotOfPlace[place] = slot
    underWayCount += 1
  }

  /// The slot that was being filled at a place; nil where none was.
  mutating func finish(at place: Int) -> Int? {
    let slot = slotOfPlace[place]
    guard slot >= 0 else { return nil }
    slotOfPlace[place] = -1
    underWayCount -= 1
    return slot
  }

  var placesUnderWay: [Int] { slotOfPlace.indices.filter { slotOfPlace[$0] >= 0 } }
}
