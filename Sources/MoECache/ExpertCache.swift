package import MoECore

/// Decides which experts are resident in a pool of fixed slots.
///
/// Pure bookkeeping: it does no I/O, knows no bytes, and allocates nothing after `init`. The engine
/// and the replay of traces run this same code, so a simulated hit rate is the engine's. One owner;
/// not for use from several threads at once.
///
/// Time is the position of a token in the run of all tokens that this cache has served. It never
/// starts over, not with a new prompt either; several uses may share one time.
package struct ExpertCache: ~Copyable, Sendable {
  package let geometry: CacheGeometry
  /// The phase that requests are counted under; set by the owner when a step begins.
  package var phase = InferencePhase.prefill
  private var prefillCounters = CacheCounters()
  private var decodeCounters = CacheCounters()
  /// Where everything is, for tests and reports.
  package private(set) var table: SlotTable
  private var policy: any EvictionPolicy
  /// The requests of one selection while they are made.
  var selected: [ExpertRequest] = []

  /// `floorShare`, 0 to 1, is the part of an even division of a class's slots among its layers
  /// that each layer keeps while other layers evict; by default what suits the policy.
  package init(
    geometry: CacheGeometry, policy: PolicyEntry = PolicyRegistry.defaultEntry,
    floorShare: Double? = nil
  ) {
    self.geometry = geometry
    self.policy = policy.make(geometry)
    table = SlotTable(geometry: geometry, floorShare: floorShare ?? policy.floorShare)
    selected.reserveCapacity(geometry.layers.map(\.expertCount).max() ?? 0)
  }

  /// A cache that replays uses which are known beforehand.
  package init(
    geometry: CacheGeometry, policy: ClairvoyantPolicyEntry, future: FutureUses,
    floorShare: Double
  ) {
    self.geometry = geometry
    self.policy = policy.make(geometry, future)
    table = SlotTable(geometry: geometry, floorShare: floorShare)
    selected.reserveCapacity(geometry.layers.map(\.expertCount).max() ?? 0)
  }

  /// The slot that holds an expert, loaded or loading. Counts nothing.
  package func lookup(_ expert: ExpertID) -> Int? { table.slot(of: expert) }

  /// Tells the policy that a step begins.
  ///
  /// `request` does this itself. Wanted before a prefill chunk's experts are visited one by one, so
  /// that the layer's older residents are seen at their true age from the first admission on.
  package mutating func beginStep(_ step: borrowing LayerStep) {
    policy.beginStep(step, in: table)
  }

  /// Tells the policy that a text begins under a name, below `geometry.sequenceCountMax`, that no
  /// other has at the time.
  package mutating func beginSequence(_ sequence: SequenceID) {
    precondition(sequence.rawValue < geometry.sequenceCountMax)
    policy.beginSequence(sequence)
  }

  /// Tells the policy that the text under a name is over.
  package mutating func endSequence(_ sequence: SequenceID) {
    precondition(sequence.rawValue < geometry.sequenceCountMax)
    policy.endSequence(sequence)
  }

  /// Counts a hit on an expert that has a slot.
  ///
  /// `time` is the position of the last token of the step that uses the expert, `tokenCount` how
  /// many of its tokens do; `rank` is its place in the selection, which orders experts of one time.
  package mutating func recordUse(
    _ expert: ExpertID, time: Int, tokenCount: Int = 1, rank: Int = 0
  ) {
    guard let slot = table.slot(of: expert) else {
      preconditionFailure("recordUse of \(expert), which has no slot")
    }
    policy.touch(slot, for: use(expert, time, tokenCount, rank))
    count { $0.hitCount += 1 }
  }

  /// Gives a slot to an expert that has none and counts a miss; parameters as of `recordUse`, which
  /// must not be called for the same use.
  ///
  /// The slot is loading, and by that pinned, until `markResident` or `remove`. Nil, with nothing
  /// counted, where every slot of the size class is pinned: try again once one is released.
  package mutating func admit(
    _ expert: ExpertID, time: Int, tokenCount: Int = 1, rank: Int = 0
  ) -> Admission? {
    let sizeClass = geometry.layers[expert.layer].sizeClass
    var evicted: ExpertID?
    let slot: Int
    if let empty = table.takeEmptySlot(sizeClass: sizeClass) {
      slot = empty
    } else {
      guard let victim = policy.victim(for: expert, in: table) else { return nil }
      let loser = table.vacate(victim)
      policy.remove(victim, of: loser)
      evicted = loser
      slot = victim
    }
    table.assign(slot, to: expert)
    policy.insert(slot, for: use(expert, time, tokenCount, rank))
    count { counters in
      counters.missCount += 1
      if evicted != nil { counters.evictionCount += 1 }
    }
    return Admission(slot: slot, evicted: evicted)
  }

  /// Gives an empty slot to an expert that nobody has asked for, and counts nothing.
  ///
  /// The slot is loading until `markResident` or `remove`. Nil where the expert has one, where none
  /// of its class is empty, or where its layer has its even share.
  package mutating func adopt(_ expert: ExpertID) -> Int? {
    guard table.slot(of: expert) == nil,
      table.residentCounts[expert.layer] < table.evenShares[expert.layer],
      let slot = table.takeEmptySlot(sizeClass: geometry.layers[expert.layer].sizeClass)
    else { return nil }
    table.assign(slot, to: expert)
    // As if used by the token before the first one, which makes it older than anything asked for.
    policy.adopt(slot, for: use(expert, -1, 1, table.residentCounts[expert.layer]))
    return slot
  }

  /// The load into a slot is done: its bytes are the expert's, and only `pin` still holds it.
  package mutating func markResident(_ slot: Int) { table.endLoading(slot) }

  /// Keeps a slot's expert where it is until as many `unpin`s.
  package mutating func pin(_ slot: Int) { table.pin(slot) }

  package mutating func unpin(_ slot: Int) { table.unpin(slot) }

  /// Takes an expert's slot away, after its load failed. No pin may be left on it but the load's.
  ///
  /// The miss stays counted: the bytes were asked for.
  package mutating func remove(_ expert: ExpertID) {
    guard let slot = table.slot(of: expert) else {
      preconditionFailure("remove of \(expert), which has no slot")
    }
    if table.state(of: slot) == .loading { table.endLoading(slot) }
    policy.remove(slot, of: expert)
    _ = table.vacate(slot)
    table.putBack(emptySlot: slot, sizeClass: geometry.layers[expert.layer].sizeClass)
  }

  /// Takes a slot out of use: its expert, if it has one, loses it, which counts as nothing. The
  /// slot must not be pinned. All layers' floors follow.
  package mutating func withdraw(_ slot: Int) {
    let sizeClass = geometry.sizeClass(ofSlot: slot)
    if let expert = table.expert(in: slot) {
      policy.remove(slot, of: expert)
      _ = table.vacate(slot)
    }
    table.withdraw(slot, sizeClass: sizeClass)
    policy.resize(in: table)
  }

  /// Brings a withdrawn slot back into use.
  package mutating func restore(_ slot: Int) {
    table.restore(slot, sizeClass: geometry.sizeClass(ofSlot: slot))
    policy.resize(in: table)
  }

  /// What was counted in one phase since `init` or `resetCounters`.
  package func counters(for phase: InferencePhase) -> CacheCounters {
    switch phase {
    case .prefill: prefillCounters
    case .decode: decodeCounters
    }
  }

  /// Prefill and decode together.
  package var counters: CacheCounters { prefillCounters + decodeCounters }

  package mutating func resetCounters() {
    prefillCounters = CacheCounters()
    decodeCounters = CacheCounters()
  }

  /// Every expert with a slot, by slot; allocates, for tests and reports.
  package var residents: [ExpertID] {
    (0..<geometry.slotCount).compactMap { table.expert(in: $0) }
  }

  private func use(_ expert: ExpertID, _ time: Int, _ tokenCount: Int, _ rank: Int) -> ExpertUse {
    ExpertUse(
      layer: expert.layer, ordinal: geometry.ordinal(of: expert), time: time,
      tokenCount: tokenCount, rank: rank)
  }

  private mutating func count(_ change: (inout CacheCounters) -> Void) {
    switch phase {
    case .prefill: change(&prefillCounters)
    case .decode: change(&decodeCounters)
    }
  }
}

/// The outcome of a miss that found a slot.
package struct Admission: Sendable, Equatable {
  package let slot: Int
  /// Whose bytes the slot held, nil where it was empty.
  package let evicted: ExpertID?

  package init(slot: Int, evicted: ExpertID?) {
    self.slot = slot
    self.evicted = evicted
  }
}
