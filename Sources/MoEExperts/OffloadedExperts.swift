package import MoECache
package import MoECore
package import MoEKernels
package import MoEStore

/// Experts in a pool of fixed slots, filled from the model's files as they are needed.
///
/// Joins the cache, which decides who stays, and the store, which moves bytes. Hits are ready at
/// once, misses when their reads are done; reads run while the caller computes.
package final class OffloadedExperts: ExpertSource {
  package let layout: ExpertLayout
  let reader: ExtentReader
  let pool: ExpertPool
  package internal(set) var cache: ExpertCache
  /// The requests of the step in progress.
  var entries: [Entry] = []
  var layer = 0
  private(set) var phase = InferencePhase.prefill
  /// Cache time of the pass's first token; goes on over all passes.
  var passTime = 0
  private var passTokenCount = 0
  /// (slot): the place in the pool where its bytes lie.
  var placeOfSlot: [Int]
  package let loanByteCount: Int
  /// Lent places that are there now.
  var lentPlaceCount: Int
  /// (slot): whether its place, a lent one, is not there.
  var isWithdrawn: [Bool]
  /// (place): number of the entry that it is loading for, -1 where it is for none.
  var entryOfPlace: [Int]
  /// Experts that were read ahead, or are being read.
  var staged: [StagedExpert] = []
  /// Experts that are read before the first step.
  var warming: WarmUp
  /// (expert ordinal): tokens that used it.
  var useCounts: [Int]
  let readAhead: ReadAhead
  var ahead = WantedAhead()
  var pace = DiskPace()
  package private(set) var trial = ReadAheadTrial()
  /// The decoded token in progress: when it began, and what had been counted then.
  private var tokenStart: (nanoseconds: UInt64, stallNanoseconds: UInt64)?
  private var lastStepEnd: UInt64 = 0
  private var missedByteCount = 0
  /// Counts stagings, so that the oldest is known.
  var stagingCount = 0
  /// First entry that has not been given a slot yet, where slots are handed out one by one.
  var nextToAdmit = 0
  /// Slots that the step holds, and may hold.
  var claimCount = 0
  var claimLimit = 0
  private var outcomes: [RequestedExpert] = []
  /// Of the read that is being asked for, reused from one to the next.
  private var parts: [ReadPart] = []
  private var rankedExperts: [Int] = []
  private var rankedNumbers: [Int] = []
  /// (token, rank): what the last tokens of the pass select in the layer, and how many each.
  private(set) var selected: [Int] = []
  private(set) var selectedPerToken = 1
  package internal(set) var statistics = ExpertStatistics()
  /// What the reader had read when that was last put into the statistics.
  private(set) var countedReadByteCount = 0

  /// One request of the step in progress.
  struct Entry {
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

    var request: ExpertRequest
    var slot = -1
    var state = State.pending
    /// Whether `waitForAny` has named it.
    var wasReturned = false
  }

  /// - Parameters:
  ///   - poolByteCount: At least `PoolLayout.floorByteCount`.
  ///   - loanByteCount: Memory besides, all of it lent at first (`setLoan`).
  ///   - readAhead: What is read before a step asks for it.
  package init(
    _ layout: ExpertLayout, reader: ExtentReader, team: WorkerTeam, poolByteCount: Int,
    loanByteCount: Int = 0, readAhead: ReadAhead = ReadAhead(),
    policy: PolicyEntry = PolicyRegistry.defaultEntry
  ) throws(ExpertError) {
    self.layout = layout
    self.reader = reader
    self.readAhead = readAhead
    let poolLayout = PoolLayout(
      layout, alignment: max(reader.placement.alignment, AlignedBuffer.pageByteCount))
    guard
      let slots = poolLayout.slots(
        byteCount: poolByteCount, readAhead: readAhead.slotCount, loanByteCount: loanByteCount)
    else {
      throw .outOfMemory(
        "an expert pool of \(ByteSize(poolByteCount)) is too small: one step needs "
          + "\(ByteSize(poolLayout.floorByteCount))")
    }
    do {
      pool = try ExpertPool(poolLayout, slots: slots, loanByteCount: loanByteCount)
    } catch {
      throw .outOfMemory("the expert pool does not fit in memory: \(error)")
    }
    let layers = layout.layers.indices.map {
      LayerGeometry(
        expertCount: layout.layers[$0].expertCount, sizeClass: poolLayout.classOfLayer[$0] ?? 0)
    }
    cache = ExpertCache(
      geometry: CacheGeometry(layers: layers, slotCounts: slots.cachedAndLent), policy: policy)
    placeOfSlot = pool.placesOfSlots
    self.loanByteCount = loanByteCount
    lentPlaceCount = slots.lent.count
    isWithdrawn = Array(repeating: false, count: placeOfSlot.count)
    entryOfPlace = Array(repeating: -1, count: pool.placeCount)
    warming = WarmUp(placeCount: pool.placeCount)
    useCounts = Array(repeating: 0, count: cache.geometry.expertCount)
    // What was read before is none of the experts'.
    countedReadByteCount = reader.counters.readByteCount
    for sizeClass in poolLayout.classes.indices {
      staged += pool.stagingPlaces(sizeClass: sizeClass).map {
        StagedExpert(sizeClass: sizeClass, place: $0)
      }
    }
    let largest = layout.expertCountMax
    entries.reserveCapacity(largest)
    outcomes.reserveCapacity(largest)
    rankedExperts.reserveCapacity(layout.expertsPerTokenMax)
    rankedNumbers.reserveCapacity(layout.expertsPerTokenMax)
    parts.reserveCapacity(layout.partCountMax)
    selected.reserveCapacity(SelectionHistory.tokenCount * layout.expertsPerTokenMax)
    // Provided now: a promise of memory that cannot be kept fails here, not in the middle of a
    // text.
    team.populate(pool.memory())
    team.populate(pool.lentMemory())
    // Lent memory is none of them: pages that the kernel holds on to cannot be given back.
    reader.registerBuffers([pool.memory()])
  }

  deinit { reader.drain() }

  /// Slots that the cache decides over now.
  package var slotCount: Int { isWithdrawn.count { !$0 } }

  /// Slots in lent memory, there or not.
  package var lentSlotCount: Int { pool.slots.lent.count }

  /// Experts on their way that no step has asked for.
  package var stagingCountUnderWay: Int { staged.count { $0.state == .loading } }

  package func simultaneousExpertCount(layer: Int) -> Int {
    pool.slots.cached[pool.layout.sizeClass(ofLayer: layer)]
  }

  /// Experts that were read ahead do not count: whether they are there depends on the disk's pace.
  package func isResident(layer: Int, expert: Int) -> Bool {
    cache.lookup(ExpertID(layer: layer, index: expert)) != nil
  }

  package func beginPass(tokenCount: Int, phase: InferencePhase) {
    endToken()
    passTime += passTokenCount
    passTokenCount = tokenCount
    self.phase = phase
    cache.phase = phase
    pace.pause()
    if phase == .decode {
      tokenStart = (MonotonicClock.nanoseconds(), statistics.decode.stallNanoseconds)
      // Of this token: what a prompt before it missed is none of the trial's.
      missedByteCount = 0
    }
  }

  /// The pass before was a token that has been decoded, if it was one: its cost goes to the trial.
  private func endToken() {
    guard let start = tokenStart else { return }
    trial.end(
      ReadAheadTrial.Cost(
        nanoseconds: max(lastStepEnd, start.nanoseconds) - start.nanoseconds,
        stallNanoseconds: statistics.decode.stallNanoseconds - start.stallNanoseconds,
        missedByteCount: missedByteCount))
    tokenStart = nil
  }

  package func willBegin(
    layer: Int, experts: IndexView, stride: Int, tokenCount: Int, expertsPerToken: Int
  ) {
    selected.removeAll(keepingCapacity: true)
    selectedPerToken = expertsPerToken
    for token in max(0, tokenCount - SelectionHistory.tokenCount)..<tokenCount {
      for rank in 0..<expertsPerToken {
        selected.append(Int(Int32(bitPattern: experts[token * stride + rank])))
      }
    }
  }

  package func begin(layer: Int, requests: [ExpertRequest]) throws(ExpertError) {
    assert(entries.isEmpty, "the step before has not been ended")
    self.layer = layer
    claimCount = 0
    for request in requests { entries.append(Entry(request: request)) }
    endAhead()
    if phase == .decode { pace.beginStep(byteCount: reader.counters.readByteCount) }
    do {
      try endWarmUp()
      for request in requests { countUse(request) }
      if passTokenCount == 1 && requests.count <= simultaneousExpertCount(layer: layer) {
        try requestTogether()
      } else {
        try requestInTurn()
      }
    } catch {
      end()
      throw error
    }
  }

  /// One token: the single request that replay of a trace makes too, experts best first.
  private func requestTogether() throws(ExpertError) {
    rankedNumbers.removeAll(keepingCapacity: true)
    rankedExperts.removeAll(keepingCapacity: true)
    for rank in entries.indices {
      for number in entries.indices where entries[number].request.rank == rank {
        rankedNumbers.append(number)
        rankedExperts.append(entries[number].request.expert)
      }
    }
    cache.request(
      layer: layer, experts: rankedExperts.span, time: passTime, into: &outcomes)
    for (rank, outcome) in outcomes.enumerated() {
      guard let slot = outcome.slot else {
        preconditionFailure("a class has a slot for each expert of a token")
      }
      let number = rankedNumbers[rank]
      entries[number].slot = slot
      entries[number].state = outcome.isHit ? .ready : .loading
      countRequest(isHit: outcome.isHit)
    }
    nextToAdmit = entries.count
    claimCount = entries.count
    // Every slot has its entry by now, so that a failing read leaves none that `end` knows nothing
    // of.
    for number in rankedNumbers where entries[number].state == .loading { try load(number) }
  }

  /// Brings the expert of an entry that has a slot into it: by exchanging the slot's place for the
  /// one where the expert was staged, or by reading.
  func load(_ number: Int) throws(ExpertError) {
    let expert = ExpertID(layer: layer, index: entries[number].request.expert)
    entries[number].state = .loading
    do {
      if try !takeStaged(expert, for: number) {
        let place = placeOfSlot[entries[number].slot]
        entryOfPlace[place] = number
        try submit(expert, to: place, priority: .demand)
      }
    } catch {
      throw .store(error.description)
    }
  }

  /// Asks for an expert's parts to be read to a place, under its number.
  func submit(
    _ expert: ExpertID, to place: Int, priority: ReadPriority
  ) throws(StoreError) {
    let experts = layout.layers[expert.layer]
    // Taken out while it is in use, so that it is not copied.
    var parts: [ReadPart] = []
    swap(&parts, &self.parts)
    defer { self.parts = parts }
    parts.removeAll(keepingCapacity: true)
    for part in experts.parts.indices {
      let region = pool.region(place: place, layer: expert.layer, part: part)
      parts.append(
        unsafe ReadPart(
          extent: experts.extent(part: part, expert: expert.index), destination: region.pointer,
          capacity: region.count))
    }
    try reader.submit(tag: place, parts: parts.span, priority: priority, expert: expert)
  }

  func countRequest(isHit: Bool) {
    statistics[phase].requestCount += 1
    if isHit {
      statistics[phase].hitCount += 1
    } else {
      missedByteCount += layout.layers[layer].storedByteCountPerExpert
    }
  }

  /// Takes completed reads; with `blocking`, waits for at least one.
  func reap(blocking: Bool) throws(ExpertError) {
    var blocking = blocking
    let start = blocking ? MonotonicClock.nanoseconds() : 0
    var (count, loadedCount) = (0, 0)
    do {
      while let place = try reader.next(blocking: blocking) {
        blocking = false
        count += 1
        let number = entryOfPlace[place]
        if number < 0 {
          if !endWarming(at: place) { endStaging(at: place) }
          continue
        }
        entryOfPlace[place] = -1
        cache.markResident(entries[number].slot)
        entries[number].state = .ready
        loadedCount += 1
      }
      if count > 0 { try reader.verifyUnchanged() }
    } catch {
      throw .store(error.description)
    }
    // A chunk's steps are not what the pace is of, and have no start that it knows.
    if phase == .decode, loadedCount > 0, !entries.contains(where: { $0.state == .loading }) {
      pace.endReads(byteCount: reader.counters.readByteCount, wasWaitedFor: start != 0)
    }
    // With nothing to wait for, waiting again would never end.
    precondition(count > 0 || start == 0, "an expert was waited for that nobody reads")
    if start != 0 { statistics[phase].stallNanoseconds += MonotonicClock.nanoseconds() - start }
  }

  package func waitForAny(_ ready: inout [Int]) throws(ExpertError) -> Int {
    ready.removeAll(keepingCapacity: true)
    try reap(blocking: false)
    while true {
      for number in entries.indices
      where entries[number].state == .ready && !entries[number].wasReturned {
        entries[number].wasReturned = true
        ready.append(number)
      }
      if !ready.isEmpty || entries.allSatisfy(\.wasReturned) { return ready.count }
      try reap(blocking: true)
    }
  }

  package func wait(for number: Int) throws(ExpertError) {
    try reap(blocking: false)
    try admitPending()
    stageAhead()
    precondition(entries[number].state != .pending, "later requests hold all slots")
    while entries[number].state != .ready { try reap(blocking: true) }
  }

  package func weights(of number: Int) -> ExpertWeights {
    let entry = entries[number]
    precondition(entry.state == .ready)
    let experts = layout.layers[layer]
    let place = placeOfSlot[entry.slot]
    return ExpertWeights(experts) { part in
      let extent = experts.extent(part: part, expert: entry.request.expert)
      return pool.region(place: place, layer: layer, part: part)
        .slice(reader.placement.phase(of: extent), count: experts.parts[part].slotByteCount)
    }
  }

  package func release(_ number: Int) {
    precondition(entries[number].state == .ready)
    entries[number].state = .released
    claimCount -= 1
    cache.unpin(entries[number].slot)
  }

  package func end() {
    // After an error reads may be under way into pinned slots; nothing may touch those before.
    if reader.failure != nil || entries.contains(where: { $0.state == .loading }) {
      reader.drain()
      forgetStagings()
      forgetWarmUp()
      for number in entries.indices where entries[number].state == .loading {
        let slot = entries[number].slot
        entryOfPlace[placeOfSlot[slot]] = -1
        cache.unpin(slot)
        cache.remove(ExpertID(layer: layer, index: entries[number].request.expert))
        entries[number].state = .released
      }
    }
    for number in entries.indices where entries[number].state == .ready { release(number) }
    entries.removeAll(keepingCapacity: true)
    selected.removeAll(keepingCapacity: true)
    lastStepEnd = MonotonicClock.nanoseconds()
    statistics[phase].readByteCount += takeReadByteCount()
  }

  /// Bytes read since this was last asked.
  func takeReadByteCount() -> Int {
    let all = reader.counters.readByteCount
    defer { countedReadByteCount = all }
    return all - countedReadByteCount
  }
}
