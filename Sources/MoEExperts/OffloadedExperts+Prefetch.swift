package import MoECache
import MoECore
import MoEStore

/// How much is read ahead.
package struct ReadAhead: Sendable, Equatable {
  /// Slots of each size class for it, as of `PoolLayout.slots`.
  package var slotCount: Int?
  /// How likely a guess must be to be read. Nil: as likely as pays with the disk at hand.
  package var leastProbability: Double?

  /// Whether a trial decides if decoding reads ahead at all; not where someone has decided.
  var isTried: Bool { slotCount == nil && leastProbability == nil }

  package init(slotCount: Int? = nil, leastProbability: Double? = nil) {
    self.slotCount = slotCount
    self.leastProbability = leastProbability
  }
}

/// A place of the pool for an expert that no step has asked for yet.
struct StagedExpert {
  enum State {
    case empty
    case loading
    case ready
  }

  let sizeClass: Int
  var place: Int
  /// Meaningful unless the place is empty.
  var expert = ExpertID(layer: 0, index: 0)
  var state = State.empty
  /// Which staging this was, counted from the first.
  var number = 0
}

/// The experts that are wanted ahead, in the order in which they are to be read.
struct WantedAhead {
  private(set) var layer = 0
  private var guesses: [ExpertGuess] = []
  private var position = 0
  /// Number of the first staging made for them; what was staged before may give way.
  private(set) var firstNumber = 0
  /// Bytes of the guesses so far that had to be read.
  var byteCount = 0

  var next: ExpertGuess? { position < guesses.count ? guesses[position] : nil }

  mutating func begin(layer: Int, guesses: [ExpertGuess], number: Int) {
    self.layer = layer
    self.guesses.removeAll(keepingCapacity: true)
    self.guesses.append(contentsOf: guesses)
    position = 0
    firstNumber = number
    byteCount = 0
  }

  mutating func advance() { position += 1 }

  /// No more of them is read.
  mutating func end() { position = guesses.count }

  /// Forgets them, and says how many there were and how many of them are right.
  mutating func close(
    layer: Int, isRight: (_ expert: Int) -> Bool
  ) -> (count: Int, rightCount: Int) {
    defer {
      guesses.removeAll(keepingCapacity: true)
      position = 0
    }
    guard layer == self.layer else { return (0, 0) }
    return (guesses.count, guesses.count { isRight($0.expert) })
  }
}

/// How fast the disk is while it is waited for, and how long it has nothing to do between the reads
/// of one layer and those of the next; both measured while decoding.
struct DiskPace {
  /// Weight of a new measurement.
  private static let freshness = 1.0 / 16

  /// 0 as long as the disk has kept nobody waiting.
  private(set) var nanosecondsPerByte = 0.0
  private(set) var idleNanoseconds = 0.0
  private var stepStart: UInt64 = 0
  private var stepByteCount = 0
  private var readsEnd: UInt64 = 0

  /// A layer's reads begin; the reader has read `byteCount` in all.
  mutating func beginStep(byteCount: Int) {
    let now = MonotonicClock.nanoseconds()
    if readsEnd > 0 { idleNanoseconds = mixed(idleNanoseconds, Double(now - readsEnd)) }
    stepStart = now
    stepByteCount = byteCount
    readsEnd = now
  }

  /// The last of a layer's reads is done. If it `wasWaitedFor`, the disk was the slower one.
  mutating func endReads(byteCount: Int, wasWaitedFor: Bool) {
    readsEnd = MonotonicClock.nanoseconds()
    guard wasWaitedFor, byteCount > stepByteCount else { return }
    let pace = Double(readsEnd - stepStart) / Double(byteCount - stepByteCount)
    nanosecondsPerByte = mixed(nanosecondsPerByte, pace)
  }

  /// The next step is no neighbour of the last.
  mutating func pause() { readsEnd = 0 }

  private func mixed(_ old: Double, _ new: Double) -> Double {
    old == 0 ? new : old + (new - old) * Self.freshness
  }

  /// How likely a guess must be to be worth reading, as the last of `byteCount` bytes of guesses.
  ///
  /// If it is right, reading it now saves at most the time that the disk would idle. If it is
  /// wrong, what is needed waits for the rest of it. With a reading time T and an idle time I that
  /// is p * I against (1 - p) * (T - I).
  func leastProbability(byteCount: Int) -> Double {
    let reading = nanosecondsPerByte * Double(byteCount)
    guard reading > idleNanoseconds else { return 0 }
    return 1 - idleNanoseconds / reading
  }
}

/// Reading ahead: experts that a layer will probably ask for are read into places that the cache
/// knows nothing of. When one is asked for, it is a miss like any other, so prediction changes
/// neither who is cached nor what replay of a trace counts; but instead of being read, it moves
/// into the slot that the cache gave it, by an exchange of places.
extension OffloadedExperts {
  /// Less likely than this is not worth a place.
  private static let leastProbability = 0.4

  package func canPrefetch(layer: Int) -> Bool {
    guard let sizeClass = pool.layout.classOfLayer[layer] else { return false }
    let isOn = phase == .prefill || trial.isOn || !readAhead.isTried
    return isOn && pool.slots.staged[sizeClass] > 0
  }

  package func prefetch(layer: Int, guesses: [ExpertGuess]) {
    ahead.begin(layer: layer, guesses: guesses, number: stagingCount)
    stageAhead()
  }

  package func advance() {
    // A failure stays with the reader, which throws it at the next request.
    try? reap(blocking: false)
    stageAhead()
  }

  /// Starts to read what is wanted ahead, as far as there are places.
  func stageAhead() {
    while let guess = ahead.next {
      let expert = ExpertID(layer: ahead.layer, index: guess.expert)
      let known = staged.firstIndex { $0.state != .empty && $0.expert == expert }
      if known == nil && cache.lookup(expert) == nil {
        let byteCount = ahead.byteCount + layout.layers[expert.layer].storedByteCountPerExpert
        guard isWorthReading(guess, byteCount: byteCount) else { return ahead.end() }
        // What is asked for must never be refused for what is not.
        let largest = layout.expertCountMax + 1
        guard reader.hasRoom(tagCount: largest, partCount: layout.partCountMax * largest),
          let free = freeStaging(sizeClass: pool.layout.sizeClass(ofLayer: ahead.layer))
        else { return }
        do {
          try submit(expert, to: staged[free].place, priority: .prefetch)
        } catch {
          // Not read ahead then; what is wrong comes up again where the expert is needed.
          return ahead.end()
        }
        ahead.byteCount = byteCount
        if staged[free].state == .ready { countWaste(staged[free]) }
        staged[free].expert = expert
        staged[free].state = .loading
        staged[free].number = stagingCount
        stagingCount += 1
        statistics[phase].prefetchCount += 1
        statistics[phase].prefetchByteCount += layout.layers[expert.layer].storedByteCountPerExpert
      } else if let known {
        // Still there from an earlier guess: as good as new.
        staged[known].number = stagingCount
        stagingCount += 1
      }
      ahead.advance()
    }
  }

  /// In a long chunk the disk is waited for once for many tokens, and guesses are hardly ever
  /// wrong.
  private func isWorthReading(_ guess: ExpertGuess, byteCount: Int) -> Bool {
    if let least = readAhead.leastProbability { return guess.probability >= least }
    let least = phase == .prefill ? 0 : pace.leastProbability(byteCount: byteCount)
    return guess.probability >= max(least, Self.leastProbability)
  }

  /// An empty place of the class, or else the one whose expert has waited longest in vain.
  private func freeStaging(sizeClass: Int) -> Int? {
    var oldest: Int?
    for index in staged.indices where staged[index].sizeClass == sizeClass {
      let candidate = staged[index]
      switch candidate.state {
      case .empty: return index
      case .loading: continue
      case .ready:
        if candidate.number >= ahead.firstNumber || isPending(candidate.expert) { continue }
        if let found = oldest, staged[found].number < candidate.number { continue }
        oldest = index
      }
    }
    return oldest
  }

  /// Whether the step in progress will still ask for an expert.
  private func isPending(_ expert: ExpertID) -> Bool {
    expert.layer == layer
      && entries.contains { $0.state == .pending && $0.request.expert == expert.index }
  }

  /// Gives a staged expert to the entry that asks for it, loaded or still on its way; false where
  /// it is not staged.
  func takeStaged(_ expert: ExpertID, for number: Int) throws(StoreError) -> Bool {
    guard let index = staged.firstIndex(where: { $0.state != .empty && $0.expert == expert })
    else { return false }
    let slot = entries[number].slot
    let place = staged[index].place
    let isLoading = staged[index].state == .loading
    staged[index].place = placeOfSlot[slot]
    staged[index].state = .empty
    placeOfSlot[slot] = place
    statistics[phase].prefetchedCount += 1
    if isLoading {
      entryOfPlace[place] = number
      try reader.promote(tag: place)
    } else {
      cache.markResident(slot)
      entries[number].state = .ready
    }
    return true
  }

  /// A step on a layer has begun. Takes back what was to be read ahead for it and is not needed, as
  /// far as nothing of it was sent; the rest stays staged until its place is wanted.
  func endAhead() {
    let guesses = ahead.close(layer: layer) { expert in
      entries.contains { $0.request.expert == expert }
    }
    statistics[phase].guessCount += guesses.count
    statistics[phase].rightGuessCount += guesses.rightCount
    for index in staged.indices
    where staged[index].state == .loading && staged[index].expert.layer == layer {
      let expert = staged[index].expert.index
      if entries.contains(where: { $0.request.expert == expert }) { continue }
      if reader.cancel(tag: staged[index].place) {
        staged[index].state = .empty
        statistics[phase].prefetchCount -= 1
        statistics[phase].prefetchByteCount -= layout.layers[layer].storedByteCountPerExpert
      }
    }
  }

  func endStaging(at place: Int) {
    guard let index = staged.firstIndex(where: { $0.place == place }) else {
      preconditionFailure("a read ended that nobody asked for")
    }
    staged[index].state = .ready
  }

  /// After the reader was drained: nothing is on its way any more.
  func forgetStagings() {
    for index in staged.indices where staged[index].state == .loading {
      countWaste(staged[index])
      staged[index].state = .empty
    }
  }

  /// An expert that was read ahead, or whose reading has begun, is given up.
  func countWaste(_ given: StagedExpert) {
    statistics[phase].prefetchWastedByteCount +=
      layout.layers[given.expert.layer].storedByteCountPerExpert
  }

  /// Bytes of experts that were read ahead, or are being read, and may still be asked for.
  package var stagedByteCount: Int {
    staged.reduce(0) {
      $0 + ($1.state == .empty ? 0 : layout.layers[$1.expert.layer].storedByteCountPerExpert)
    }
  }
}
