import MoECache
import MoECore
import Testing

/// The clairvoyant policy, and the optimum of the past that needs no clairvoyance.
@Suite struct OptimumTests {
  private func randomRequests(
    seed: UInt64, count: Int, expertCount: Int, largest: Int
  ) -> [[Int]] {
    var random = SeededGenerator(seed: seed)
    return (0..<count).map { _ in
      let size = Int.random(in: 1...largest, using: &random)
      return Array((0..<expertCount).shuffled(using: &random).prefix(size))
    }
  }

  @Test func theOptimumOfThePastIsThatOfTheClairvoyantAtEveryStep() {
    for seed in 0..<60 as Range<UInt64> {
      let requests = randomRequests(seed: seed, count: 50, expertCount: 9, largest: 3)
      for slotCount in 3...9 {
        var optimum = PastOptimum(expertCount: 9, slotCount: slotCount)
        var requestCount = 0
        for (step, experts) in requests.enumerated() {
          optimum.add(experts.span)
          requestCount += experts.count
          let hits = beladyHitCount(Array(requests[...step]), slotCount: slotCount)
          #expect(optimum.missCount == requestCount - hits, "seed \(seed), \(slotCount) slots")
        }
      }
    }
  }

  @Test func theOptimumOfThePastStartsFromWhatIsHeld() {
    var optimum = PastOptimum(expertCount: 4, slotCount: 2)
    optimum.add([0, 1].span)
    optimum.restart { $0 >= 2 }
    for expert in [2, 0, 3] { optimum.add([expert].span) }
    // Expert 3 can be kept while 0 is read into the slot of 2.
    #expect(optimum.missCount == 1)
  }

  /// The most hits of all ways to keep experts, step by step, in as many slots as the step has.
  private func mostHits(_ requests: [[Int]], _ slotCounts: [Int]) -> Int {
    var best: [Set<Int>: Int] = [[]: 0]
    for (wanted, slotCount) in zip(requests, slotCounts) {
      var next: [Set<Int>: Int] = [:]
      for (held, hits) in best {
        let others = Array(held.subtracting(wanted))
        for mask in 0..<1 << others.count where mask.nonzeroBitCount + wanted.count <= slotCount {
          let kept = others.indices.filter { mask >> $0 & 1 == 1 }.map { others[$0] }
          let contents = Set(wanted).union(kept)
          let sum = hits + wanted.count { held.contains($0) }
          next[contents] = max(next[contents] ?? 0, sum)
        }
      }
      best = next
    }
    return best.values.max() ?? 0
  }

  @Test func theOptimumOfThePastKeepsToSlotCountsThatChange() {
    for seed in 0..<80 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let requests = randomRequests(seed: seed, count: 14, expertCount: 6, largest: 2)
      let slotCounts = requests.map { _ in Int.random(in: 2...5, using: &random) }
      var optimum = PastOptimum(expertCount: 6, slotCount: 2)
      for (experts, slotCount) in zip(requests, slotCounts) {
        optimum.resize(slotCount: slotCount)
        optimum.add(experts.span)
      }
      let hits = requests.joined().count - optimum.missCount
      #expect(hits == mostHits(requests, slotCounts), "seed \(seed)")
    }
  }

  @Test func whatComesBackLaterThanIsRememberedIsAMiss() {
    var optimum = PastOptimum(expertCount: 4, slotCount: 4, remembering: 4)
    optimum.add([0].span)
    for _ in 0..<3 { optimum.add([1].span) }
    optimum.add([0].span)
    #expect(optimum.missCount == 3)
  }

  private func future(
    _ steps: [(layer: Int, experts: [Int])], _ geometry: CacheGeometry
  )
    -> FutureUses
  {
    var times = [[Int32]](repeating: [], count: geometry.expertCount)
    for (number, step) in steps.enumerated() {
      for index in step.experts {
        times[geometry.ordinal(of: ExpertID(layer: step.layer, index: index))].append(
          Int32(number / geometry.layers.count))
      }
    }
    return FutureUses(times: times)
  }

  /// In one pool for several layers, too, where each step is a request of its own.
  @Test(arguments: [1, 3]) func theClairvoyantPolicyIsOptimal(_ layerCount: Int) throws {
    let belady = try #require(PolicyRegistry.clairvoyant.first { $0.name == "belady" })
    for seed in 0..<40 as Range<UInt64> {
      let all = randomRequests(
        seed: seed, count: 40 * layerCount, expertCount: 6, largest: 2)
      let steps = all.enumerated().map { (layer: $0.offset % layerCount, experts: $0.element) }
      for slotCount in 2...6 * layerCount {
        let geometry = uniform(layerCount: layerCount, expertCount: 6, slotCount: slotCount)
        var cache = ExpertCache(
          geometry: geometry, policy: belady, future: future(steps, geometry), floorShare: 0)
        for (number, step) in steps.enumerated() {
          load(step.experts, of: step.layer, at: number / layerCount, into: &cache)
        }
        let requests = steps.map { step in step.experts.map { step.layer * 6 + $0 } }
        let best = beladyHitCount(requests, slotCount: slotCount)
        #expect(cache.counters.hitCount == best, "seed \(seed), \(slotCount) slots")
      }
    }
  }

  @Test func noPolicyOfTheEngineKnowsTheFuture() {
    let clairvoyant = PolicyRegistry.clairvoyant.map(\.name)
    #expect(clairvoyant == ["belady"])
    #expect(clairvoyant.allSatisfy { PolicyRegistry.entry(named: $0) == nil })
  }

  /// A predictor that says what the optimum would hold is followed to the optimum (1-consistency).
  @Test func followingPerfectPredictionsIsOptimal() {
    for seed in 0..<40 as Range<UInt64> {
      let requests = randomRequests(seed: seed, count: 200, expertCount: 12, largest: 3)
      for slotCount in [3, 5, 8] {
        let hits = hitCount(
          requests, expertCount: 12, slotCount: slotCount,
          policy: .follower { _ in OptimalContents(requests, slotCount: slotCount) })
        let best = beladyHitCount(requests, slotCount: slotCount)
        #expect(hits == best, "seed \(seed), \(slotCount) slots")
      }
    }
  }
}

/// What the optimum holds after each step of a known run of requests to one layer.
private struct OptimalContents: StatePredictor {
  private var contents: [Set<Int>] = []
  private var step = -1

  init(_ requests: [[Int]], slotCount: Int) {
    var held: Set<Int> = []
    for (time, wanted) in requests.enumerated() {
      held.formUnion(wanted)
      func nextUse(_ expert: Int) -> Int {
        requests[(time + 1)...].firstIndex { $0.contains(expert) } ?? .max
      }
      while held.count > slotCount {
        let idle = held.subtracting(wanted).sorted()
        guard let last = idle.max(by: { nextUse($0) < nextUse($1) }) else { break }
        held.remove(last)
      }
      contents.append(held)
    }
  }

  mutating func note(_ step: borrowing LayerStep) { self.step += 1 }

  mutating func note(_ use: ExpertUse) {}

  mutating func predict(layer: Int, slotCount: Int, into isHeld: inout [Bool], from first: Int) {
    for index in 0..<12 { isHeld[first + index] = contents[step].contains(index) }
  }
}
