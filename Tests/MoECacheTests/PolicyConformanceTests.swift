import MoECache
import MoECore
import MoETestSupport
import Testing

/// What every registered eviction policy must keep to.
@Suite struct PolicyConformanceTests {
  static let names = PolicyRegistry.all.map(\.name)

  private func policy(_ name: String) throws -> PolicyEntry {
    try #require(PolicyRegistry.entry(named: name))
  }

  @Test(arguments: names) func agreesWithItsDefinitionUnderFuzz(_ name: String) throws {
    for seed in Fuzz.seeds(20_000, iterationsPerRun: 400) {
      var run = try LockstepRun(policy: policy(name), seed: seed)
      for _ in 0..<400 { run.step() }
      if run.hasDiverged { break }
    }
  }

  @Test(arguments: names) func neverEvictsAPinnedExpert(_ name: String) throws {
    let geometry = uniform(layerCount: 3, expertCount: 8, slotCount: 6)
    var cache = ExpertCache(geometry: geometry, policy: try policy(name))
    let held = ExpertID(layer: 1, index: 3)
    let admission = cache.admit(held, time: 0)
    let slot = try #require(admission).slot
    cache.pin(slot)
    cache.markResident(slot)
    for time in 1...200 {
      for outcome in load([time % 3], of: time % 3, at: time, into: &cache) {
        #expect(outcome.evicted != held)
      }
    }
    #expect(cache.lookup(held) == slot)
  }

  @Test(arguments: names) func refusesOnlyWhereEverySlotOfTheClassIsPinned(_ name: String) throws {
    let layers = [0, 1, 0].map { LayerGeometry(expertCount: 8, sizeClass: $0) }
    let geometry = CacheGeometry(layers: layers, slotCounts: [4, 2])
    var cache = ExpertCache(geometry: geometry, policy: try policy(name))
    var slots: [Int] = []
    for index in 0..<4 {
      let admission = admit(index, of: 0, at: 0, into: &cache)
      slots.append(try #require(admission).slot)
    }
    let before = cache.counters
    let refused = admit(0, of: 2, at: 1, into: &cache)
    #expect(refused == nil && cache.counters == before)
    let elsewhere = admit(0, of: 1, at: 1, into: &cache)
    #expect(elsewhere == Admission(slot: 4, evicted: nil))
    cache.markResident(slots[2])
    let admitted = admit(0, of: 2, at: 1, into: &cache)
    #expect(admitted == Admission(slot: slots[2], evicted: ExpertID(layer: 0, index: 2)))
  }

  @Test(arguments: names, [0.25, 0.5, 1]) func keepsFloors(_ name: String, _ share: Double) throws {
    let geometry = uniform(layerCount: 4, expertCount: 16, slotCount: 32)
    var cache = ExpertCache(geometry: geometry, policy: try policy(name), floorShare: share)
    for time in 0..<16 {
      for layer in 0..<4 { load([time], of: layer, at: time, into: &cache) }
    }
    let floor = Int(8 * share)
    #expect(cache.table.floors == [Int](repeating: floor, count: 4))
    for time in 16..<400 {
      load([time % 16, (time + 5) % 16], of: 0, at: time, into: &cache)
      for layer in 1..<4 { #expect(cache.table.residentCounts[layer] >= floor) }
    }
  }

  @Test(arguments: names) func countsEveryRequestOnceUnderItsPhase(_ name: String) throws {
    let geometry = uniform(layerCount: 3, expertCount: 16, slotCount: 12)
    var cache = ExpertCache(geometry: geometry, policy: try policy(name))
    var random = SeededGenerator(seed: 5)
    var readCount = 0
    for time in 0..<300 {
      cache.phase = time < 100 ? .prefill : .decode
      for layer in 0..<3 {
        let experts = Array((0..<16).shuffled(using: &random).prefix(3))
        readCount += load(experts, of: layer, at: time, into: &cache).count { !$0.isHit }
      }
    }
    #expect(cache.counters(for: .prefill).requestCount == 100 * 9)
    #expect(cache.counters(for: .decode).requestCount == 200 * 9)
    #expect(cache.counters.missCount == readCount)
    #expect(cache.counters.evictionCount == readCount - 12)
    cache.resetCounters()
    #expect(cache.counters == CacheCounters())
  }

  @Test(arguments: names) func repeatsItselfExactly(_ name: String) throws {
    func evictions() throws -> [ExpertID?] {
      let geometry = uniform(layerCount: 5, expertCount: 32, slotCount: 37)
      var cache = ExpertCache(geometry: geometry, policy: try policy(name))
      var random = SeededGenerator(seed: 11)
      var evictions: [ExpertID?] = []
      for step in 0..<1000 {
        let experts = Array((0..<32).shuffled(using: &random).prefix(4))
        evictions += load(experts, of: step % 5, at: step / 5, into: &cache).map(\.evicted)
      }
      return evictions
    }
    let first = try evictions()
    #expect(try evictions() == first)
  }

  /// Where one token needs a slot more than there are, plain recency over all layers hits nothing:
  /// each expert goes just before its next use.
  @Test(arguments: names) func hitsInAPoolSmallerThanOneTokenNeeds(_ name: String) throws {
    let geometry = uniform(layerCount: 8, expertCount: 8, slotCount: 15)
    var cache = ExpertCache(geometry: geometry, policy: try policy(name))
    for time in 0..<100 {
      for layer in 0..<8 { load([1, 4], of: layer, at: time, into: &cache) }
    }
    let hitRate = try #require(cache.counters.hitRate)
    #expect(hitRate > 0.5)
  }

  @Test(arguments: names) func neverBeatsTheOptimumOnRandomRequests(_ name: String) throws {
    for seed in 0..<40 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let requests = (0..<300).map { _ in
        var wanted: [Int] = []
        while wanted.count < 3 {
          // The square makes low numbers popular, as routers make some experts.
          let unit = random.nextUnit()
          let expert = Int(unit * unit * 24)
          if !wanted.contains(expert) { wanted.append(expert) }
        }
        return wanted
      }
      for slotCount in [3, 5, 9, 24] {
        let hits = hitCount(
          requests, expertCount: 24, slotCount: slotCount, policy: try policy(name))
        let best = beladyHitCount(requests, slotCount: slotCount)
        #expect(hits <= best, "seed \(seed), \(slotCount) slots")
      }
    }
  }
}
