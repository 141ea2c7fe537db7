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
  private var phase = InferencePhase.prefill
  /// Cache time of the pass's first token; goes on over all passes.
  var passTime = 0
  private var passTokenCount = 0
  /// (slot): number of the entry that it is loading for.
  var entryOfSlot: [Int]
  /// First entry that has not been given a slot yet, where slots are handed out one by one.
  var nextToAdmit = 0
  /// Slots that the step holds, and may hold.
  var claimCount = 0
  var claimLimit = 0
  private var outcomes: [RequestedExpert] = []
  private var rankedExperts: [Int] = []
  private var rankedNumbers: [Int] = []
  package private(set) var statistics = ExpertStatistics()
  private var readByteCountAtBegin = 0

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

  /// - Parameter poolByteCount: At least `PoolLayout.floorByteCount`.
  package init(
    _ layout: ExpertLayout, reader: ExtentReader, team: WorkerTeam, poolByteCount: Int,
    policy: PolicyEntry = PolicyRegistry.defaultEntry
  ) throws(ExpertError) {
    self.layout = layout
    self.reader = reader
    let poolLayout = PoolLayout(layout)
    guard let slotCounts = poolLayout.slotCounts(byteCount: poolByteCount) else {
      throw .outOfMemory(
        "an expert pool of \(ByteSize(poolByteCount)) is too small: one step needs "
          + "\(ByteSize(poolLayout.floorByteCount))")
    }
    do {
      pool = try ExpertPool(poolLayout, slotCounts: slotCounts)
    } catch {
      throw .outOfMemory("the expert pool does not fit in memory: \(error)")
    }
    let layers = layout.layers.indices.map {
      LayerGeometry(
        expertCount: layout.layers[$0].expertCount, sizeClass: poolLayout.classOfLayer[$0])
    }
    cache = ExpertCache(
      geometry: CacheGeometry(layers: layers, slotCounts: slotCounts), policy: policy)
    entryOfSlot = Array(repeating: -1, count: slotCounts.reduce(0, +))
    let largest = layout.layers.map(\.expertCount).max() ?? 0
    entries.reserveCapacity(largest)
    outcomes.reserveCapacity(largest)
    rankedExperts.reserveCapacity(layout.expertsPerToken)
    rankedNumbers.reserveCapacity(layout.expertsPerToken)
    // Provided now: a promise of memory that cannot be kept fails here, not in the middle of a
    // text.
    team.populate(pool.memory())
    reader.registerBuffers([pool.memory()])
  }

  deinit { reader.drain() }

  package var slotCounts: [Int] { pool.slotCounts }
  package var slotCount: Int { slotCounts.reduce(0, +) }
  package var poolByteCount: Int { pool.layout.byteCount(slotCounts: slotCounts) }

  package func simultaneousExpertCount(layer: Int) -> Int {
    slotCounts[pool.layout.classOfLayer[layer]]
  }

  package func beginPass(tokenCount: Int, phase: InferencePhase) {
    passTime += passTokenCount
    passTokenCount = tokenCount
    self.phase = phase
    cache.phase = phase
  }

  package func begin(layer: Int, requests: [ExpertRequest]) throws(ExpertError) {
    assert(entries.isEmpty, "the step before has not been ended")
    self.layer = layer
    readByteCountAtBegin = reader.counters.readByteCount
    claimCount = 0
    for request in requests { entries.append(Entry(request: request)) }
    do {
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

  /// Starts the reads of an entry that has a slot.
  func load(_ number: Int) throws(ExpertError) {
    let entry = entries[number]
    entries[number].state = .loading
    entryOfSlot[entry.slot] = number
    let stacks = layout.layers[layer]
    func part(_ matrix: ExpertMatrix) -> ReadPart {
      let region = pool.region(slot: entry.slot, layer: layer, matrix: matrix)
      return unsafe ReadPart(
        extent: stacks.extent(of: matrix, expert: entry.request.expert),
        destination: region.pointer, capacity: region.count)
    }
    let parts: [3 of ReadPart] = [part(.gate), part(.up), part(.down)]
    do {
      try reader.submit(
        tag: entry.slot, parts: parts.span,
        expert: ExpertID(layer: layer, index: entry.request.expert))
    } catch {
      throw .store(error.description)
    }
  }

  func countRequest(isHit: Bool) {
    statistics[phase].requestCount += 1
    if isHit { statistics[phase].hitCount += 1 }
  }

  /// Takes completed reads; with `blocking`, waits for at least one.
  func reap(blocking: Bool) throws(ExpertError) {
    var blocking = blocking
    let start = blocking ? MonotonicClock.nanoseconds() : 0
    var count = 0
    do {
      while let slot = try reader.next(blocking: blocking) {
        blocking = false
        cache.markResident(slot)
        let number = entryOfSlot[slot]
        entryOfSlot[slot] = -1
        entries[number].state = .ready
        count += 1
      }
      if count > 0 { try reader.verifyUnchanged() }
    } catch {
      throw .store(error.description)
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
    precondition(entries[number].state != .pending, "later requests hold all slots")
    while entries[number].state != .ready { try reap(blocking: true) }
  }

  package func weights(of number: Int) -> ExpertWeights {
    let entry = entries[number]
    precondition(entry.state == .ready)
    let stacks = layout.layers[layer]
    func matrix(_ kind: ExpertMatrix) -> QuantizedMatrix {
      let phase = reader.placement.phase(of: stacks.extent(of: kind, expert: entry.request.expert))
      let stack = stacks[kind]
      let region = pool.region(slot: entry.slot, layer: layer, matrix: kind)
      return QuantizedMatrix(
        format: stack.format, bytes: region.slice(phase, count: stack.byteCountPerExpert),
        rowCount: stack.rowCount, columnCount: stack.columnCount)
    }
    return ExpertWeights(gate: matrix(.gate), up: matrix(.up), down: matrix(.down))
  }

  package func release(_ number: Int) {
    precondition(entries[number].state == .ready)
    entries[number].state = .released
    claimCount -= 1
    cache.unpin(entries[number].slot)
  }

  package func end() {
    // After an error reads may be under way into pinned slots; nothing may touch those before.
    if entries.contains(where: { $0.state == .loading }) {
      reader.drain()
      for number in entries.indices where entries[number].state == .loading {
        let slot = entries[number].slot
        entryOfSlot[slot] = -1
        cache.unpin(slot)
        cache.remove(ExpertID(layer: layer, index: entries[number].request.expert))
        entries[number].state = .released
      }
    }
    for number in entries.indices where entries[number].state == .ready { release(number) }
    entries.removeAll(keepingCapacity: true)
    statistics[phase].readByteCount += reader.counters.readByteCount - readByteCountAtBegin
  }
}
