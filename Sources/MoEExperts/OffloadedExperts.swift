package import MoECache
package import MoECore
package import MoEKernels
package import MoEStore

/// Experts in a pool of fixed slots, filled from the model's files as they are needed.
///
/// Joins the cache, which decides who stays, and the store, which moves bytes. Hits are ready at
/// once, misses when their reads are done; reads run while the caller computes. A read's tag is the
/// place that it goes to, and whoever asked for it knows the place: the step in progress, the
/// prefetcher by its staging slots, or the warm-up.
package final class OffloadedExperts: ExpertSource {
  package let layout: ExpertLayout
  package let loanByteCount: Int
  let reader: ExtentReader
  package internal(set) var cache: ExpertCache
  var places: SlotPlaces
  var step: ExpertStep
  var prefetcher: Prefetcher
  var warming: WarmUp
  var behind = BehindReads()
  package internal(set) var statistics = ExpertStatistics()
  private(set) var phase = InferencePhase.prefill
  /// (expert ordinal): tokens that used it.
  private(set) var useCounts: [Int]
  /// Of the read that is being asked for, reused from one to the next.
  private var parts: [ReadPart] = []
  private let finisher: ExpertFinisher
  /// What the reader had read when that was last put into the statistics.
  private(set) var countedReadByteCount: Int

  /// - Parameters:
  ///   - poolByteCount: At least `PoolLayout.floorByteCount`.
  ///   - loanByteCount: Memory besides, all of it lent at first (`setLoan`).
  ///   - prefetch: What is read before a step asks for it.
  ///   - sequenceCountMax: Sequences at a time; their names are below.
  package init(
    _ layout: ExpertLayout, reader: ExtentReader, team: WorkerTeam, poolByteCount: Int,
    loanByteCount: Int = 0, prefetch: PrefetchOptions = PrefetchOptions(),
    policy: PolicyEntry = PolicyRegistry.defaultEntry, sequenceCountMax: Int = 1
  ) throws(ExpertError) {
    self.layout = layout
    self.reader = reader
    self.loanByteCount = loanByteCount
    let poolLayout = PoolLayout(
      layout, alignment: max(reader.placement.alignment, AlignedBuffer.pageByteCount))
    guard
      let slots = poolLayout.slots(
        byteCount: poolByteCount, stagingSlotCount: prefetch.stagingSlotCount,
        loanByteCount: loanByteCount)
    else {
      throw .outOfMemory(
        "an expert pool of \(ByteSize(poolByteCount)) is too small: one step needs "
          + "\(ByteSize(poolLayout.floorByteCount))")
    }
    do {
      places = SlotPlaces(
        try ExpertPool(poolLayout, slots: slots, loanByteCount: loanByteCount))
      finisher = try ExpertFinisher(layout, team: team)
    } catch {
      throw .outOfMemory("the expert pool does not fit in memory: \(error)")
    }
    let layers = layout.layers.indices.map {
      LayerGeometry(
        expertCount: layout.layers[$0].expertCount, sizeClass: poolLayout.classOfLayer[$0] ?? 0)
    }
    cache = ExpertCache(
      geometry: CacheGeometry(
        layers: layers, slotCounts: slots.cachedAndLent, sequenceCountMax: sequenceCountMax),
      policy: policy)
    let placeCount = places.pool.placeCount
    step = ExpertStep(layout, cache.geometry, pool: slots, placeCount: placeCount)
    prefetcher = Prefetcher(prefetch, pool: slots)
    warming = WarmUp(placeCount: placeCount)
    useCounts = Array(repeating: 0, count: cache.geometry.expertCount)
    // What was read before is none of the experts'.
    countedReadByteCount = reader.counters.readByteCount
    parts.reserveCapacity(layout.partCountMax)
    // Provided now: a promise of memory that cannot be kept fails here, not in the middle of a
    // text.
    team.populate(places.pool.memory())
    team.populate(places.pool.lentMemory())
    // Lent memory is none of them: pages that the kernel holds on to cannot be given back.
    reader.registerBuffers([places.pool.memory()])
  }

  deinit { reader.drain() }

  /// Slots that the cache decides over now.
  package var slotCount: Int { places.usableSlotCount }

  /// Slots in lent memory, there or not.
  package var lentSlotCount: Int { places.pool.slots.lent.count }

  /// Experts that were prefetched do not count: whether they are there depends on the disk's pace.
  package func isResident(layer: Int, expert: Int) -> Bool {
    cache.lookup(ExpertID(layer: layer, index: expert)) != nil
  }

  package func beginSequence(_ sequence: SequenceID) { cache.beginSequence(sequence) }
  package func endSequence(_ sequence: SequenceID) { cache.endSequence(sequence) }

  package func beginStep(_ rows: StepRows) {
    phase = rows.phase
    cache.phase = phase
    step.begin(rows)
    prefetcher.pace.pause()
    prefetcher.meter.beginStep(phase, stallNanoseconds: statistics.decode.stallNanoseconds)
  }

  package func willBegin(
    layer: Int, experts: IndexView, stride: Int, tokenCount: Int, expertsPerToken: Int
  ) {
    step.select(experts, stride: stride, expertsPerRow: expertsPerToken)
  }

  package func begin(layer: Int, requests: [ExpertRequest]) throws(ExpertError) {
    do {
      try endWarmUp()
      try settleBehind(layer: layer)
      step.begin(
        layer: layer, requests: requests,
        expertsPerRow: layout.layers[layer].expertsPerToken, in: &cache)
      endPrefetch()
      if phase == .decode { prefetcher.pace.beginStep(byteCount: reader.counters.readByteCount) }
      for request in requests { countUse(request) }
      try loadGranted()
    } catch {
      end()
      throw error
    }
  }

  package var holdsEveryRequest: Bool { step.holdsEveryRequest }

  /// Gives slots to requests, and reads what is not there.
  private func loadGranted() throws(ExpertError) {
    step.takeGrants(in: &cache)
    for number in step.numbersToRead { try load(number) }
  }

  /// Brings the expert of a request that has a slot into it: by exchanging the slot's place for the
  /// one where the expert was staged, or by reading.
  private func load(_ number: Int) throws(ExpertError) {
    do {
      if try !takeStaged(number) {
        let place = places.place(ofSlot: step.entries[number].slot)
        step.beginReading(number, to: place)
        try submit(step.expert(of: number), to: place, priority: .demand)
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
    experts.forEachRead(ofExpert: expert.index, alignment: alignment) { extent, number, offset in
      let region = places.pool.region(place: place, layer: expert.layer, number: number)
      parts.append(
        unsafe ReadPart(
          extent: extent, destination: region.pointer + offset, capacity: region.count - offset))
    }
    try reader.submit(tag: place, parts: parts.span, priority: priority, expert: expert)
  }

  private var alignment: Int { places.pool.layout.alignment }

  /// An expert was read to a place: makes of it what products read.
  func finish(_ expert: ExpertID, at place: Int) throws(ExpertError) {
    let experts = layout.layers[expert.layer]
    guard experts.isFinishedAfterReading else { return }
    try finisher.finish(
      experts, expert: expert, alignment: alignment, placement: reader.placement,
      files: reader.files
    ) { places.pool.region(place: place, layer: expert.layer, number: $0) }
  }

  /// Takes completed reads; with `blocking`, waits for at least one.
  func reap(blocking: Bool) throws(ExpertError) {
    var blocking = blocking
    let start = blocking ? MonotonicClock.nanoseconds() : 0
    var (count, loadedCount) = (0, 0)
    while let place = try nextRead(blocking: blocking) {
      blocking = false
      count += 1
      if let number = step.endReading(at: place) {
        try finish(step.expert(of: number), at: place)
        cache.markResident(step.entries[number].slot)
        step.becomeReady(number)
        loadedCount += 1
      } else if !endBehind(at: place), !endWarming(at: place) {
        endStaging(at: place)
      }
    }
    do {
      if count > 0 { try reader.verifyUnchanged() }
    } catch {
      throw .store(error.description)
    }
    // A chunk's steps are not what the pace is of, and have no start that it knows.
    if phase == .decode, loadedCount > 0, !step.isLoading {
      prefetcher.pace.endReads(byteCount: reader.counters.readByteCount, wasWaitedFor: start != 0)
    }
    // With nothing to wait for, waiting again would never end.
    precondition(count > 0 || start == 0, "an expert was waited for that nobody reads")
    if start != 0 { statistics[phase].stallNanoseconds += MonotonicClock.nanoseconds() - start }
  }

  private func nextRead(blocking: Bool) throws(ExpertError) -> Int? {
    do {
      return try reader.next(blocking: blocking)
    } catch {
      throw .store(error.description)
    }
  }

  package func waitForAny(_ ready: inout [Int]) throws(ExpertError) -> Int {
    ready.removeAll(keepingCapacity: true)
    try reap(blocking: false)
    while true {
      step.takeReady(&ready)
      if !ready.isEmpty || step.isEveryRequestReturned { return ready.count }
      try reap(blocking: true)
    }
  }

  package func wait(for number: Int) throws(ExpertError) {
    try reap(blocking: false)
    try loadGranted()
    stage()
    precondition(step.entries[number].state != .pending, "later requests hold all slots")
    while step.entries[number].state != .ready { try reap(blocking: true) }
  }

  package func weights(of number: Int) -> ExpertWeights {
    let entry = step.entries[number]
    precondition(entry.state == .ready)
    let experts = layout.layers[step.layer]
    let place = places.place(ofSlot: entry.slot)
    let expert = entry.request.expert
    return ExpertWeights(experts, expert: expert) { index in
      let found = experts.location(ofPart: index, expert: expert, placement: reader.placement)
      return places.pool.region(place: place, layer: step.layer, number: found.region)
        .slice(found.offset, count: experts.slot(ofPart: index, expert: expert).byteCount)
    }
  }

  package func release(_ number: Int) { step.release(number, in: &cache) }

  package func end() {
    // After an error reads may be under way into pinned slots; nothing may touch those before.
    if reader.failure != nil || step.isLoading {
      drain()
      step.giveUpLoading(in: &cache) { places.place(ofSlot: $0) }
    }
    let (hitCount, missCount) = step.end(in: &cache)
    statistics[phase].requestCount += hitCount + missCount
    statistics[phase].hitCount += hitCount
    prefetcher.meter.endLayer(
      missedByteCount: missCount * layout.layers[step.layer].storedByteCountPerExpert)
    statistics[phase].readByteCount += takeReadByteCount()
  }

  /// Waits for what was sent and forgets the rest: nothing is on its way any more. What the step in
  /// progress asked for is left to it.
  func drain() {
    reader.drain()
    forgetStagings()
    forgetWarmUp()
    forgetBehind()
  }

  /// Bytes read since this was last asked.
  func takeReadByteCount() -> Int {
    let all = reader.counters.readByteCount
    defer { countedReadByteCount = all }
    return all - countedReadByteCount
  }

  private func countUse(_ request: ExpertRequest) {
    let expert = ExpertID(layer: step.layer, index: request.expert)
    useCounts[cache.geometry.ordinal(of: expert)] += request.tokenCount
  }
}
