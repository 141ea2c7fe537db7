import MoECache
import MoECore
import Testing

/// Figures worked out by hand or by an independent program for the algorithms that policies are
/// made after.
@Suite struct PublishedVectorTests {
  private struct Bits: OneBitPredictor {
    var bits: [Int]
    private var position = 0

    init(_ bits: [Int]) { self.bits = bits }

    mutating func isDispensable(after use: ExpertUse) -> Bool {
      defer { position += 1 }
      return bits[position] == 1
    }
  }

  private static let requests = [1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5]
  /// 1 where the optimum evicts the page before its next use, or it is never used again.
  private static let bits = [0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1]
  private static let inverted = bits.map { 1 - $0 }

  private func missCount(_ policy: PolicyEntry) -> Int {
    let requests = Self.requests.map { [$0] }
    return requests.count - hitCount(requests, expertCount: 6, slotCount: 3, policy: policy)
  }

  @Test func requestsCostTheOptimumSevenAndRecencyTen() throws {
    #expect(12 - beladyHitCount(Self.requests.map { [$0] }, slotCount: 3) == 7)
    #expect(missCount(try #require(PolicyRegistry.entry(named: "lru"))) == 10)
  }

  @Test func perfectBitsMakePoliciesWithOneBitOptimal() {
    #expect(missCount(.flush { _ in Bits(Self.bits) }) == 7)
    #expect(missCount(.mark0 { _ in Bits(Self.bits) }) == 7)
    for seed in 0..<20 as Range<UInt64> {
      #expect(missCount(.markAndPredict(seed: seed) { _ in Bits(Self.bits) }) == 7)
    }
  }

  @Test func wrongBitsCostFlushEverythingAndMarkingLess() {
    #expect(missCount(.flush { _ in Bits(Self.inverted) }) == 12)
    let runCount = 2000
    let sum = (0..<UInt64(runCount)).reduce(0) { sum, seed in
      sum + missCount(.markAndPredict(seed: seed) { _ in Bits(Self.inverted) })
    }
    // 11.0 on average; five standard errors of a deviation of at most 1.
    #expect(abs(Double(sum) / Double(runCount) - 11) < 0.12)
  }

  @Test func robustPhasesAskAtTheirWindows() {
    #expect(RobustWindows(slotCount: 10).starts == [1, 6, 9, 10])
    #expect(RobustWindows(slotCount: 16).starts == [1, 9, 13, 15, 16])
    #expect(RobustWindows(slotCount: 1).starts == [1])
    #expect(RobustWindows(slotCount: 0).starts.isEmpty)
  }

  /// Experts of a batch run one after the other in ascending order, each released before the next.
  private func bufferingMissCount(_ batches: [[Int]], slotCount: Int) throws -> Int {
    var cache = ExpertCache(
      geometry: uniform(layerCount: 1, expertCount: 6, slotCount: slotCount),
      policy: try #require(PolicyRegistry.entry(named: "lifo")))
    for (time, batch) in batches.enumerated() {
      cache.beginStep(
        LayerStep(layer: 0, time: time, experts: batch.span, expertsPerToken: batch.count))
      for index in batch {
        let expert = ExpertID(layer: 0, index: index)
        if cache.lookup(expert) != nil {
          cache.recordUse(expert, time: time)
        } else {
          let admission = cache.admit(expert, time: time)
          cache.markResident(try #require(admission).slot)
        }
      }
    }
    return cache.counters.missCount
  }

  /// Misses where the experts of all batches are asked for one after the other.
  private func missCount(
    _ batches: [[Int]], slotCount: Int, _ hits: ([[Int]]) throws -> Int
  ) rethrows -> Int {
    let requests = batches.joined().map { [$0] }
    return requests.count - (try hits(requests))
  }

  /// Beside recency and the optimum.
  @Test func expertBufferingMissesWhatItsRuleSays() throws {
    let lru = try #require(PolicyRegistry.entry(named: "lru"))
    let cyclic = [[Int]](repeating: [1, 2, 3], count: 4)
    let mixed = [[0, 1, 2, 3], [1, 2, 3], [0, 2, 3], [0, 1, 2, 3], [4, 5], [0, 1, 2, 3]]
    let cases = [
      (cyclic, 2, buffering: 9, recency: 12, best: 7), (mixed, 2, 17, 20, 14),
      (mixed, 3, 12, 14, 10), (mixed, 4, 8, 10, 7),
    ]
    for (batches, slotCount, buffering, recency, best) in cases {
      #expect(try bufferingMissCount(batches, slotCount: slotCount) == buffering)
      let recent = missCount(batches, slotCount: slotCount) {
        hitCount($0, expertCount: 6, slotCount: slotCount, policy: lru)
      }
      let optimal = missCount(batches, slotCount: slotCount) {
        beladyHitCount($0, slotCount: slotCount)
      }
      #expect(recent == recency && optimal == best, "\(slotCount) slots")
    }
  }

  /// What a step uses is known once it has begun: before a layer's first one nothing is in use, and
  /// the last one in goes, whatever its layer.
  @Test func expertBufferingSparesNothingBeforeALayersFirstStep() throws {
    var cache = ExpertCache(
      geometry: uniform(layerCount: 2, expertCount: 3, slotCount: 3),
      policy: try #require(PolicyRegistry.entry(named: "lifo")), floorShare: 0)
    for expert in [(0, 0), (1, 0), (1, 1)] {
      let admission = admit(expert.1, of: expert.0, at: 0, into: &cache)
      cache.markResident(try #require(admission).slot)
    }
    let admission = admit(2, of: 1, at: 1, into: &cache)
    #expect(admission?.evicted == ExpertID(layer: 1, index: 1))
  }

  /// For each request, whether the optimum evicts the page before its next use, or it has none.
  private func discardBits(_ requests: [Int], slotCount: Int) -> [Int] {
    var bits = requests.map { _ in 1 }
    var held: [Int: Int] = [:]
    for (time, page) in requests.enumerated() {
      if let last = held[page] { bits[last] = 0 }
      held[page] = time
      guard held.count > slotCount else { continue }
      func nextUse(_ page: Int) -> Int { requests[(time + 1)...].firstIndex(of: page) ?? .max }
      let others = held.keys.filter { $0 != page }.sorted()
      if let last = others.max(by: { nextUse($0) < nextUse($1) }) { held[last] = nil }
    }
    return bits
  }

  /// What the guarantees say where no prediction is wrong: (1, k - 1, 1) of Flush and
  /// (1, 2 H(k), 1) of Mark0 leave them the optimum, (2, H(k), 1) of Mark&Predict leaves it twice
  /// that.
  @Test func perfectBitsKeepTheGuaranteesOnRandomRequests() {
    let example = discardBits(Self.requests, slotCount: 3)
    #expect(example == Self.bits)
    for seed in 0..<60 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let pages = (0..<300).map { _ in
        let unit = random.nextUnit()
        return Int(unit * unit * 16)
      }
      let requests = pages.map { [$0] }
      for slotCount in [2, 4, 8] {
        let bits = discardBits(pages, slotCount: slotCount)
        func missCount(_ policy: PolicyEntry) -> Int {
          requests.count
            - hitCount(requests, expertCount: 16, slotCount: slotCount, policy: policy)
        }
        let best = requests.count - beladyHitCount(requests, slotCount: slotCount)
        #expect(missCount(.flush { _ in Bits(bits) }) == best, "seed \(seed)")
        #expect(missCount(.mark0 { _ in Bits(bits) }) == best, "seed \(seed)")
        let marking = missCount(.markAndPredict(seed: seed) { _ in Bits(bits) })
        #expect(marking <= 2 * best + slotCount, "seed \(seed)")
      }
    }
  }

  /// Section 1.6 conventions switched off: trace 01 01 02 02 12 13 23 23 in two slots, look-ups of
  /// both experts before updates.
  @Test func recencyHitsWhatWasCountedByHand() throws {
    let trace = [[0, 1], [0, 1], [0, 2], [0, 2], [1, 2], [1, 3], [2, 3], [2, 3]]
    let lru = try #require(PolicyRegistry.entry(named: "lru"))
    #expect(hitCount(trace, expertCount: 4, slotCount: 2, policy: lru) == 10)
  }
}
