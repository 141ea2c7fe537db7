import MoECache
import MoECore
import MoEStore

/// The step in progress on one layer: which experts were requested, and how far each has come.
///
/// Invariant: a request has a slot of the cache, and one pin on it, exactly while it is loading or
/// ready; these are as many as `claimCount` says, which never exceeds `claimLimit`. A place that is
/// being read for the step names its request, which is loading. Between steps there are no
/// requests.
struct ExpertStep {
  enum State {
    /// No slot yet.
    case pending
    /// Its slot is being filled.
    case loading
    /// In memory, pinned.
    case ready
    /// Given back.
    case released
  }

  struct Entry {
    var request: ExpertRequest
    var slot = -1
    var state = State.pending
    /// Whether `waitForAny` has named it.
    var wasReturned = false
  }

  private(set) var layer = 0
  /// (number of the request)
  private(set) var entries: [Entry] = []
  /// Requests that found their expert, and those that did not.
  private(set) var hitCount = 0
  private(set) var missCount = 0
  /// (place): number of the request that it is being read for, -1 where for none.
  private var numberOfPlace: [Int]
  /// Slots that the step holds, and may hold.
  var claimCount = 0
  var claimLimit = 0
  /// First request that has not been given a slot yet, where slots are handed out in turn.
  var nextToAdmit = 0
  /// (token, rank): what the last tokens of the step select in the layer, and how many each.
  private(set) var selected: [Int] = []
  private(set) var selectedPerToken = 1
  /// Reused from step to step.
  var outcomes: [RequestedExpert] = []
  var rankedExperts: [Int] = []
  var rankedNumbers: [Int] = []

  init(_ layout: ExpertLayout, placeCount: Int) {
    numberOfPlace = Array(repeating: -1, count: placeCount)
    entries.reserveCapacity(layout.expertCountMax)
    outcomes.reserveCapacity(layout.expertCountMax)
    rankedExperts.reserveCapacity(layout.expertCountMax)
    rankedNumbers.reserveCapacity(layout.expertCountMax)
    selected.reserveCapacity(SelectionHistory.tokenCount * layout.expertsPerTokenMax)
  }

  var isOver: Bool { entries.isEmpty }

  /// Remembers what the last tokens of the step select, (token, stride), as `begin` will want it.
  mutating func select(
    _ experts: IndexView, stride: Int, tokenCount: Int, expertsPerToken: Int
  ) {
    selected.removeAll(keepingCapacity: true)
    selectedPerToken = expertsPerToken
    for token in max(0, tokenCount - SelectionHistory.tokenCount)..<tokenCount {
      for rank in 0..<expertsPerToken {
        selected.append(Int(Int32(bitPattern: experts[token * stride + rank])))
      }
    }
  }

  mutating func begin(layer: Int, requests: [ExpertRequest]) {
    assert(isOver, "the step before has not been ended")
    self.layer = layer
    (claimCount, nextToAdmit) = (0, 0)
    for request in requests { entries.append(Entry(request: request)) }
  }

  func expert(of number: Int) -> ExpertID {
    ExpertID(layer: layer, index: entries[number].request.expert)
  }

  func requests(_ expert: Int) -> Bool { entries.contains { $0.request.expert == expert } }

  /// Whether the step will still ask for an expert.
  func isPending(_ expert: ExpertID) -> Bool {
    expert.layer == layer
      && entries.contains { $0.state == .pending && $0.request.expert == expert.index }
  }

  var isLoading: Bool { entries.contains { $0.state == .loading } }
  var isEveryRequestReturned: Bool { entries.allSatisfy(\.wasReturned) }

  /// A request has been given a slot, pinned for it, that holds its expert or is to be filled.
  mutating func claim(_ number: Int, slot: Int, isHit: Bool) {
    assert(entries[number].state == .pending)
    entries[number].slot = slot
    entries[number].state = isHit ? .ready : .loading
    claimCount += 1
    if isHit { hitCount += 1 } else { missCount += 1 }
    assert(claimCount <= claimLimit)
  }

  /// The expert of a loading request is read to a place, which is its slot's.
  mutating func beginReading(_ number: Int, to place: Int) {
    assert(entries[number].state == .loading && numberOfPlace[place] < 0)
    numberOfPlace[place] = number
  }

  /// A read to a place is done: the request that it was for; nil where it was for none.
  mutating func endReading(at place: Int) -> Int? {
    let number = numberOfPlace[place]
    guard number >= 0 else { return nil }
    numberOfPlace[place] = -1
    return number
  }

  mutating func becomeReady(_ number: Int) {
    assert(entries[number].state == .loading)
    entries[number].state = .ready
  }

  /// Numbers of requests that are ready and were not returned before, into `ready`.
  mutating func takeReady(_ ready: inout [Int]) {
    for number in entries.indices
    where entries[number].state == .ready && !entries[number].wasReturned {
      entries[number].wasReturned = true
      ready.append(number)
    }
  }

  mutating func release(_ number: Int, in cache: inout ExpertCache) {
    precondition(entries[number].state == .ready)
    entries[number].state = .released
    claimCount -= 1
    cache.unpin(entries[number].slot)
  }

  /// Takes the slots of requests that are loading away from their experts, which will not come.
  mutating func giveUpLoading(in cache: inout ExpertCache, place: (_ slot: Int) -> Int) {
    for number in entries.indices where entries[number].state == .loading {
      let slot = entries[number].slot
      numberOfPlace[place(slot)] = -1
      cache.unpin(slot)
      cache.remove(expert(of: number))
      entries[number].state = .released
      claimCount -= 1
    }
  }

  /// Gives back what has not been. Returns what the requests found.
  mutating func end(in cache: inout ExpertCache) -> (hitCount: Int, missCount: Int) {
    defer { (hitCount, missCount) = (0, 0) }
    for number in entries.indices where entries[number].state == .ready {
      release(number, in: &cache)
    }
    assert(claimCount == 0 && !isLoading && numberOfPlace.allSatisfy { $0 < 0 })
    entries.removeAll(keepingCapacity: true)
    selected.removeAll(keepingCapacity: true)
    return (hitCount, missCount)
  }
}
