package import MoECache
import MoECore
import MoEStore

/// Prefetching: experts that a layer will probably ask for are read into staging slots, which the
/// cache knows nothing of. When one is asked for, it is a miss like any other, so prediction
/// changes neither who is cached nor what replay of a trace counts; but instead of being read, it
/// moves into the slot that the cache gave it, by an exchange of places.
extension OffloadedExperts {
  package func canPrefetch(layer: Int) -> Bool {
    guard let sizeClass = places.pool.layout.classOfLayer[layer] else { return false }
    return prefetcher.isOn(phase) && places.pool.slots.staging[sizeClass] > 0
  }

  package func prefetch(layer: Int, guesses: [ExpertGuess]) {
    prefetcher.want(guesses, layer: layer)
    stage()
  }

  package func advance() {
    // A failure stays with the reader, which throws it at the next request.
    try? reap(blocking: false)
    stage()
  }

  /// Starts to read what is wanted, as far as there are staging slots.
  func stage() {
    while let guess = prefetcher.wanted.next {
      let expert = ExpertID(layer: prefetcher.wanted.layer, index: guess.expert)
      if let known = prefetcher.slot(of: expert) {
        prefetcher.renew(known)
      } else if cache.lookup(expert) == nil {
        guard stage(expert, guess) else { return }
      }
      prefetcher.wanted.advance()
    }
  }

  /// Starts to read one expert; false where it must wait, or where no more is to be read.
  private func stage(_ expert: ExpertID, _ guess: ExpertGuess) -> Bool {
    let size = layout.layers[expert.layer].storedByteCountPerExpert
    let byteCount = prefetcher.wanted.byteCount + size
    guard prefetcher.isWorthReading(guess, byteCount: byteCount, phase: phase) else {
      prefetcher.wanted.end()
      return false
    }
    // What is asked for must never be refused for what is not.
    let largest = layout.expertCountMax + 1
    guard reader.hasRoom(tagCount: largest, partCount: layout.partCountMax * largest),
      let free = prefetcher.freeSlot(
        sizeClass: places.pool.layout.sizeClass(ofLayer: expert.layer),
        isPending: { step.isPending($0) })
    else { return false }
    do {
      try submit(expert, to: places.place(ofStagingSlot: free), priority: .prefetch)
    } catch {
      // Not prefetched then; what is wrong comes up again where the expert is needed.
      prefetcher.wanted.end()
      return false
    }
    prefetcher.wanted.byteCount = byteCount
    if prefetcher.slots[free].state == .ready { countWaste(prefetcher.slots[free]) }
    prefetcher.begin(expert, in: free)
    statistics[phase].prefetchCount += 1
    statistics[phase].prefetchByteCount += size
    return true
  }

  /// Gives a staged expert to the request that asks for it, loaded or still on its way; false where
  /// it is not staged.
  func takeStaged(_ number: Int) throws(StoreError) -> Bool {
    guard let index = prefetcher.slot(of: step.expert(of: number)) else { return false }
    let slot = step.entries[number].slot
    let isLoading = prefetcher.slots[index].state == .loading
    places.exchange(slot: slot, stagingSlot: index)
    prefetcher.empty(index)
    statistics[phase].prefetchedCount += 1
    if isLoading {
      let place = places.place(ofSlot: slot)
      step.beginReading(number, to: place)
      try reader.promote(tag: place)
    } else {
      cache.markResident(slot)
      step.becomeReady(number)
    }
    return true
  }

  /// A step on a layer has begun. Takes back what was to be prefetched for it and is not needed, as
  /// far as nothing of it was sent; the rest stays staged until its slot is wanted.
  func endPrefetch() {
    let guesses = prefetcher.wanted.close(layer: step.layer) { step.requests($0) }
    statistics[phase].guessCount += guesses.count
    statistics[phase].rightGuessCount += guesses.rightCount
    for (index, slot) in prefetcher.slots.enumerated()
    where slot.state == .loading && slot.expert.layer == step.layer {
      if step.requests(slot.expert.index) { continue }
      if reader.cancel(tag: places.place(ofStagingSlot: index)) {
        prefetcher.empty(index)
        statistics[phase].prefetchCount -= 1
        statistics[phase].prefetchByteCount -=
          layout.layers[step.layer].storedByteCountPerExpert
      }
    }
  }

  func endStaging(at place: Int) {
    guard let index = places.stagingSlot(at: place) else {
      preconditionFailure("a read ended that nobody asked for")
    }
    do throws(ExpertError) {
      try finish(prefetcher.slots[index].expert, at: place)
    } catch {
      // Not prefetched then; what is wrong comes up again where the expert is needed.
      countWaste(prefetcher.slots[index])
      return prefetcher.empty(index)
    }
    prefetcher.becomeReady(index)
  }

  /// After the reader was drained: nothing is on its way any more.
  func forgetStagings() {
    for (index, slot) in prefetcher.slots.enumerated() where slot.state == .loading {
      countWaste(slot)
      prefetcher.empty(index)
    }
  }

  /// An expert that was prefetched, or whose reading has begun, is given up.
  func countWaste(_ given: StagingSlot) {
    statistics[phase].prefetchWastedByteCount +=
      layout.layers[given.expert.layer].storedByteCountPerExpert
  }

  /// Whether prefetching has paid so far.
  package var trial: PrefetchTrial { prefetcher.meter.trial }

  /// Experts on their way that no step has asked for.
  package var prefetchCountUnderWay: Int { prefetcher.loadingCount }

  /// Bytes of experts that were prefetched, or are being read, and may still be asked for.
  package var stagedByteCount: Int {
    prefetcher.slots.reduce(0) {
      $0 + ($1.state == .empty ? 0 : layout.layers[$1.expert.layer].storedByteCountPerExpert)
    }
  }
}
