import MoECache
import MoECore

/// The step in progress on one layer: which experts were requested, and how far each has come.
///
/// Invariant: a request has a slot of the cache, and one pin on it, exactly while it is loading or
/// ready. A place that is being read for the step names its request, which is loading. Between
/// steps there are no requests.
struct ExpertStep {
  enum State {
    /// No slot yet.
    case pending
    /// Its slot is being filled, or is about to be.
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
  private var hitCount = 0
  private var missCount = 0
  /// Requests that have got a slot and are to be read, in the order of reading.
  private(set) var numbersToRead: [Int] = []
  /// (place): number of the request that it is being read for, -1 where for none.
  private var numberOfPlace: [Int]
  /// Who gets a slot, and when.
  private var admission: StepAdmission
  private var rowCount = 0
  /// (known row, rank): what rows of the step select in the layer, and how many each.
  private var selected: [Int] = []
  private var selectedPerRow = 1

  init(_ layout: ExpertLayout, _ geometry: CacheGeometry, pool: PoolSlots, placeCount: Int) {
    admission = StepAdmission(geometry: geometry, ownSlotCounts: pool.cached)
    numberOfPlace = Array(repeating: -1, count: placeCount)
    entries.reserveCapacity(layout.expertCountMax)
    numbersToRead.reserveCapacity(layout.expertCountMax)
    selected.reserveCapacity(SelectionHistory.tokenCount * layout.expertsPerTokenMax)
  }

  var isOver: Bool { entries.isEmpty }

  /// Slots that a step on a layer holds at a time.
  func claimLimit(layer: Int, expertsPerToken: Int) -> Int {
    admission.claimLimit(layer: layer, expertsPerToken: expertsPerToken)
  }

  /// Cache time of the step's last row.
  var lastTime: Int { admission.firstTime + rowCount - 1 }

  /// A step through all layers begins.
  mutating func begin(_ rows: StepRows) {
    rowCount = rows.rowCount
    admission.beginStep(rows.runs.span)
  }

  /// Remembers what the rows select, (row, stride), as `begin` will want it.
  mutating func select(_ experts: IndexView, stride: Int, expertsPerRow: Int) {
    var selected: [Int] = []
    swap(&selected, &self.selected)
    selected.removeAll(keepingCapacity: true)
    admission.forEachKnownRow { row in
      for rank in 0..<expertsPerRow {
        let expert = experts[row * stride + rank]
        selected.append(expert == .max ? -1 : Int(expert & ~StepRows.lowBit))
      }
    }
    selectedPerRow = expertsPerRow
    self.selected = selected
  }

  /// A layer's experts are requested.
  ///
  /// - Parameter expertsPerRow: How many a row of the layer takes at most.
  mutating func begin(
    layer: Int, requests: [ExpertRequest], expertsPerRow: Int, in cache: inout ExpertCache
  ) {
    assert(isOver, "the step before has not been ended")
    assert(selected.isEmpty || selectedPerRow == expertsPerRow)
    self.layer = layer
    for request in requests { entries.append(Entry(request: request)) }
    // The same memory under a name of its own, which a span of it may hold meanwhile.
    let selected = self.selected
    admission.begin(
      layer: layer, requests, experts: selected.span, expertsPerToken: expertsPerRow, in: &cache)
  }

  /// Whether all requests have slots at once.
  var holdsEveryRequest: Bool { entries.count <= admission.claimLimit }

  /// Gives slots to requests, as many as the step may hold now. What must be read is in
  /// `numbersToRead` then: of one row best experts first, of several in the order of computing.
  ///
  /// Every slot has its request before the first is read, so that a failing read leaves none that
  /// `end` knows nothing of.
  mutating func takeGrants(in cache: inout ExpertCache) {
    numbersToRead.removeAll(keepingCapacity: true)
    while let grant = admission.next(in: &cache) {
      assert(entries[grant.number].state == .pending)
      entries[grant.number].slot = grant.slot
      entries[grant.number].state = grant.isHit ? .ready : .loading
      if grant.isHit {
        hitCount += 1
      } else {
        missCount += 1
        addToRead(grant.number)
      }
    }
  }

  private mutating func addToRead(_ number: Int) {
    var place = numbersToRead.count
    while rowCount > 1, place > 0, numbersToRead[place - 1] > number { place -= 1 }
    numbersToRead.insert(number, at: place)
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
    admission.release(number, in: &cache)
  }

  /// Takes the slots of requests that are loading away from their experts, which will not come.
  mutating func giveUpLoading(in cache: inout ExpertCache, place: (_ slot: Int) -> Int) {
    for number in entries.indices where entries[number].state == .loading {
      numberOfPlace[place(entries[number].slot)] = -1
      admission.release(number, in: &cache)
      cache.remove(expert(of: number))
      entries[number].state = .released
    }
  }

  /// Gives back what has not been. Returns what the requests found.
  mutating func end(in cache: inout ExpertCache) -> (hitCount: Int, missCount: Int) {
    for number in entries.indices where entries[number].state == .ready {
      release(number, in: &cache)
    }
    assert(!isLoading && numberOfPlace.allSatisfy { $0 < 0 })
    admission.end()
    entries.removeAll(keepingCapacity: true)
    selected.removeAll(keepingCapacity: true)
    defer { (hitCount, missCount) = (0, 0) }
    return (hitCount, missCount)
  }
}
