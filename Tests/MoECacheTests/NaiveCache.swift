import MoECache
import MoECore

/// The expert cache written for obviousness: a dictionary, and a look at everything each time.
struct NaiveCache {
  struct Resident {
    var isLoading = true
    var pinCount = 0
    var isPinned: Bool { isLoading || pinCount > 0 }
  }

  let layers: [LayerGeometry]
  var slotCounts: [Int]
  let floorShare: Double
  var policy: any NaivePolicy
  var residents: [ExpertID: Resident] = [:]
  var counters = CacheCounters()

  init(
    layers: [LayerGeometry], slotCounts: [Int], floorShare: Double, policy: any NaivePolicy
  ) {
    self.layers = layers
    self.slotCounts = slotCounts
    self.floorShare = floorShare
    self.policy = policy
  }

  /// Layers that share slots with one, itself included, ascending.
  func classmates(of layer: Int) -> [Int] {
    layers.indices.filter {
      layers[$0].sizeClass == layers[layer].sizeClass && layers[$0].expertCount > 0
    }
  }

  func residentCount(_ layer: Int) -> Int { residents.keys.count { $0.layer == layer } }

  func mayGive(_ giver: Int, to layer: Int) -> Bool {
    // Dealt out one by one, like cards.
    let dealt = Int(Double(slotCounts[layers[giver].sizeClass]) * floorShare)
    let players = classmates(of: giver)
    let floor = min(
      (0..<dealt).count { players[$0 % players.count] == giver }, layers[giver].expertCount)
    let count = residentCount(giver)
    return giver == layer ? count >= floor : count > floor
  }

  /// Experts that could lose their slot to one of `layer`.
  func candidates(for layer: Int, respectingFloors: Bool) -> [ExpertID] {
    let givers = classmates(of: layer).filter { !respectingFloors || mayGive($0, to: layer) }
    return residents.filter { !$0.value.isPinned && givers.contains($0.key.layer) }.keys.sorted()
  }

  mutating func beginStep(layer: Int, time: Int, runs: [NaiveRun]) {
    let view = self
    policy.beginStep(layer: layer, time: time, runs: runs, in: view)
  }

  mutating func recordUse(_ expert: ExpertID, time: Int, tokenCount: Int, rank: Int) {
    let view = self
    policy.use(expert, time: time, tokenCount: tokenCount, rank: rank, in: view)
    counters.hitCount += 1
  }

  /// Whether a slot was found, and whose it was; `hint` settles what rounding leaves even.
  mutating func admit(
    _ expert: ExpertID, time: Int, tokenCount: Int, rank: Int, hint: ExpertID?
  ) -> (isAdmitted: Bool, evicted: ExpertID?) {
    let occupied = classmates(of: expert.layer).map(residentCount).reduce(0, +)
    var evicted: ExpertID?
    if occupied == slotCounts[layers[expert.layer].sizeClass] {
      // The policy looks at a copy, since looking changes it.
      let view = self
      evicted =
        policy.victim(for: expert, in: view, respectingFloors: true, hint: hint)
        ?? policy.victim(for: expert, in: view, respectingFloors: false, hint: hint)
      guard let evicted else { return (false, nil) }
      policy.remove(evicted)
      residents[evicted] = nil
      counters.evictionCount += 1
    }
    residents[expert] = Resident()
    policy.miss(expert)
    let view = self
    policy.use(expert, time: time, tokenCount: tokenCount, rank: rank, in: view)
    counters.missCount += 1
    return (true, evicted)
  }
}

/// Tokens of one sequence in a step: what each selects, and the number of the last one in it.
struct NaiveRun {
  var sequence: Int
  var time: Int
  /// (token, rank)
  var selections: [[Int]]
}

/// An eviction policy by its definition.
protocol NaivePolicy {
  mutating func beginStep(layer: Int, time: Int, runs: [NaiveRun], in cache: NaiveCache)
  /// `selections`: (token, rank) of the tokens up to `time`; none where nobody said.
  mutating func beginStep(layer: Int, time: Int, selections: [[Int]], in cache: NaiveCache)
  /// A use of an expert that has a slot, or has just been given one.
  mutating func use(
    _ expert: ExpertID, time: Int, tokenCount: Int, rank: Int, in cache: NaiveCache)
  /// An expert was given a slot; its use follows.
  mutating func miss(_ expert: ExpertID)
  mutating func remove(_ expert: ExpertID)
  mutating func beginSequence(_ sequence: Int)
  mutating func endSequence(_ sequence: Int)
  mutating func victim(
    for expert: ExpertID, in cache: NaiveCache, respectingFloors: Bool, hint: ExpertID?
  ) -> ExpertID?
}

extension NaivePolicy {
  /// Most policies do not care whose tokens they are.
  mutating func beginStep(layer: Int, time: Int, runs: [NaiveRun], in cache: NaiveCache) {
    beginStep(layer: layer, time: time, selections: runs.flatMap(\.selections), in: cache)
  }

  mutating func beginStep(layer: Int, time: Int, selections: [[Int]], in cache: NaiveCache) {}

  mutating func beginSequence(_ sequence: Int) {}
  mutating func endSequence(_ sequence: Int) {}
  mutating func miss(_ expert: ExpertID) {}
}

extension NaiveCache {
  /// Slots of a layer in an even division, dealt out one by one, like cards.
  func evenShare(of layer: Int) -> Int {
    guard layers[layer].expertCount > 0 else { return 0 }
    let players = classmates(of: layer)
    return min(
      (0..<slotCounts[layers[layer].sizeClass]).count { players[$0 % players.count] == layer },
      layers[layer].expertCount)
  }

  /// How many turns of the class's layers ago a layer had its last one, seen from `layer`.
  func turnsBack(from layer: Int, to giver: Int) -> Int {
    let ring = classmates(of: layer)
    guard let here = ring.firstIndex(of: layer), let there = ring.firstIndex(of: giver) else {
      return 0
    }
    return (here - there + ring.count) % ring.count
  }

  /// The candidate with the least key; of even ones the one whose layer's next turn is furthest
  /// away, then the one with the smallest index.
  func least(
    for expert: ExpertID, respectingFloors: Bool, by key: (ExpertID) -> [Double]
  ) -> ExpertID? {
    func full(_ candidate: ExpertID) -> [Double] {
      key(candidate) + [
        Double(turnsBack(from: expert.layer, to: candidate.layer)), Double(candidate.index),
      ]
    }
    return candidates(for: expert.layer, respectingFloors: respectingFloors).min {
      full($0).lexicographicallyPrecedes(full($1))
    }
  }

  /// Layers that may give a slot to `layer`, the one whose next turn is furthest away first.
  func givers(to layer: Int, respectingFloors: Bool) -> [Int] {
    classmates(of: layer)
      .sorted { turnsBack(from: layer, to: $0) < turnsBack(from: layer, to: $1) }
      .filter { !respectingFloors || mayGive($0, to: layer) }
  }
}
