import MoECache
import MoECore
import Testing

@Suite struct ExpertCacheTests {
  @Test func givesEachSizeClassItsOwnSlots() throws {
    let layers = [(0, 0), (4, 1), (4, 0), (2, 1)].map {
      LayerGeometry(expertCount: $0, sizeClass: $1)
    }
    let geometry = CacheGeometry(layers: layers, slotCounts: [3, 5])
    #expect(geometry.slotRanges == [0..<3, 3..<8])
    #expect(geometry.layersByClass == [[2], [1, 3]])
    #expect(geometry.slotCount == 8 && geometry.expertCount == 10)
    let cache = ExpertCache(geometry: geometry, floorShare: 1)
    // Five slots over two layers are three and two; a dense layer keeps nothing.
    #expect(cache.table.floors == [0, 3, 3, 2])
  }

  @Test func expertsOfOneRequestNeverEvictEachOther() {
    var cache = ExpertCache(geometry: uniform(layerCount: 1, expertCount: 8, slotCount: 3))
    load([0, 1, 2], of: 0, at: 0, into: &cache)
    let outcomes = load([5, 0, 6], of: 0, at: 1, into: &cache)
    #expect(outcomes.map(\.isHit) == [false, true, false])
    #expect(Set(cache.residents.map(\.index)) == [0, 5, 6])
  }

  @Test func aRequestLargerThanItsClassLeavesTheRestWithoutSlots() throws {
    var cache = ExpertCache(geometry: uniform(layerCount: 1, expertCount: 8, slotCount: 2))
    var outcomes: [RequestedExpert] = []
    cache.request(layer: 0, experts: [3, 1, 4].span, time: 0, into: &outcomes)
    #expect(outcomes.map(\.slot) == [0, 1, nil])
    #expect(cache.counters.requestCount == 2)
    cache.finish(outcomes)
    let later = cache.admit(ExpertID(layer: 0, index: 4), time: 0, rank: 2)
    #expect(later != nil)
    #expect(cache.counters.requestCount == 3)
  }

  @Test func anExpertNamedTwiceIsReadOnce() {
    var cache = ExpertCache(geometry: uniform(layerCount: 1, expertCount: 8, slotCount: 4))
    let outcomes = load([6, 6], of: 0, at: 0, into: &cache)
    #expect(outcomes.map(\.isHit) == [false, true])
    #expect(outcomes[0].slot == outcomes[1].slot)
    #expect(cache.table.isPinned(0) == false)
  }

  @Test func aLoadingExpertIsAHitAndStaysWhereItIs() throws {
    var cache = ExpertCache(geometry: uniform(layerCount: 1, expertCount: 8, slotCount: 1))
    let admission = admit(2, of: 0, at: 0, into: &cache)
    let slot = try #require(admission).slot
    cache.recordUse(ExpertID(layer: 0, index: 2), time: 1)
    #expect(cache.table.state(of: slot) == .loading && cache.counters.hitCount == 1)
    let refused = admit(3, of: 0, at: 1, into: &cache)
    #expect(refused == nil)
  }

  @Test func aFailedLoadFreesItsSlotAndIsMissedAgain() throws {
    var cache = ExpertCache(geometry: uniform(layerCount: 2, expertCount: 8, slotCount: 2))
    let expert = ExpertID(layer: 1, index: 2)
    let admission = cache.admit(expert, time: 0)
    let slot = try #require(admission).slot
    cache.remove(expert)
    #expect(cache.lookup(expert) == nil && cache.residents.isEmpty)
    #expect(cache.table.state(of: slot) == .empty)
    let again = cache.admit(expert, time: 1)
    #expect(again == Admission(slot: slot, evicted: nil))
    #expect(cache.counters.missCount == 2)
  }

  @Test func pinsAreCounted() throws {
    var cache = ExpertCache(geometry: uniform(layerCount: 1, expertCount: 8, slotCount: 1))
    let admission = admit(0, of: 0, at: 0, into: &cache)
    let slot = try #require(admission).slot
    cache.pin(slot)
    cache.pin(slot)
    cache.markResident(slot)
    cache.unpin(slot)
    let whilePinned = admit(1, of: 0, at: 1, into: &cache)
    cache.unpin(slot)
    let afterwards = admit(1, of: 0, at: 1, into: &cache)
    #expect(whilePinned == nil && afterwards != nil)
  }

  /// A chunk's experts are visited by index; what counts is the last token that uses each.
  @Test(arguments: ["lru", "lfu"], 0..<20 as Range<UInt64>)
  func prefillIsIndifferentToTheOrderOfVisits(_ name: String, seed: UInt64) throws {
    let policy = try #require(PolicyRegistry.entry(named: name))
    func evictions(visiting order: [Int]) throws -> [Int?] {
      let geometry = uniform(layerCount: 1, expertCount: 32, slotCount: 16)
      var cache = ExpertCache(geometry: geometry, policy: policy)
      for index in order {
        // Times differ, so that no tie is left for the order of calls to settle.
        let admission = cache.admit(
          ExpertID(layer: 0, index: index), time: index * 7 % 16, tokenCount: index % 5 + 1)
        cache.markResident(try #require(admission).slot)
      }
      return (16..<32).map { load([$0], of: 0, at: 20, into: &cache)[0].evicted?.index }
    }
    var random = SeededGenerator(seed: seed)
    let order = (0..<16).shuffled(using: &random)
    let byIndex = try evictions(visiting: Array(0..<16))
    #expect(try evictions(visiting: order) == byIndex, "\(order)")
  }

  @Test func recencyIsCountedInTurnsOfTheLayer() {
    var cache = ExpertCache(
      geometry: uniform(layerCount: 2, expertCount: 8, slotCount: 4),
      policy: PolicyRegistry.all.first { $0.name == "lru" } ?? PolicyRegistry.defaultEntry,
      floorShare: 0)
    load([0, 1], of: 0, at: 0, into: &cache)
    load([0, 1], of: 1, at: 0, into: &cache)
    // Layer 1 has not had its turn in this token, so its experts are no older than expert 1 of
    // layer 0, which had its chance and was not used.
    let outcomes = load([0, 2], of: 0, at: 1, into: &cache)
    #expect(outcomes.map(\.evicted) == [nil, ExpertID(layer: 0, index: 1)])
  }

  @Test func unpinningWhatIsNotPinnedStopsTheProgram() async {
    await #expect(processExitsWith: .failure) {
      var cache = ExpertCache(geometry: uniform(layerCount: 1, expertCount: 2, slotCount: 1))
      load([0], of: 0, at: 0, into: &cache)
      cache.unpin(0)
    }
    await #expect(processExitsWith: .failure) {
      var cache = ExpertCache(geometry: uniform(layerCount: 1, expertCount: 2, slotCount: 1))
      // The load's own pin is not the caller's to take.
      _ = admit(0, of: 0, at: 0, into: &cache)
      cache.unpin(0)
    }
  }
}
