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

  mutating func recordUse(_ expert: ExpertID, time: Int, tokenCount: Int, rank: Int) {
    policy.use(expert, time: time, tokenCount: tokenCount, rank: rank)
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
        policy.victim(for: expert.layer, in: view, respectingFloors: true, hint: hint)
        ?? policy.victim(for: expert.layer, in: view, respectingFloors: false, hint: hint)
      guard let evicted else { return (false, nil) }
      policy.remove(evicted)
      residents[evicted] = nil
      counters.evictionCount += 1
    }
    residents[expert] = Resident()
    policy.use(expert, time: time, tokenCount: tokenCount, rank: rank)
    counters.missCount += 1
    return (true, evicted)
  }
}

/// An eviction policy by its definition.
protocol NaivePolicy {
  mutating func beginStep(layer: Int, time: Int)
  /// A use of an expert that has a slot, or has just been given one.
  mutating func use(_ expert: ExpertID, time: Int, tokenCount: Int, rank: Int)
  mutating func remove(_ expert: ExpertID)
  mutating func victim(
    for layer: Int, in cache: NaiveCache, respectingFloors: Bool, hint: ExpertID?
  ) -> ExpertID?
}
