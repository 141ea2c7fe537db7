import MoEAnalysis
import MoECache
import MoECore
import MoETestSupport
import Testing

@Suite struct HitCurveTests {
  private let rules: [StackRule] = [
    .lru, .lfu, .belady, .segment(length: 1), .segment(length: 2), .segment(length: 5),
    .segment(length: 40),
  ]

  private func hits(
    _ routing: RoutingSequences, _ rule: StackRule, _ conventions: ReplayConventions,
    slots: Range<Int>
  ) throws -> [Int] {
    let curve = try HitCurves(routing, rule: rule, conventions: conventions).total
    return slots.map { curve.hitCount(slots: $0, coldMisses: conventions.coldMisses) }
  }

  // MARK: Published vectors

  /// Least recently used and the optimum on the published example, two to four slots.
  @Test func theExampleIsAsPublished() throws {
    let routing = try RoutingSamples.example()
    let conventions = ReplayConventions.december
    #expect(try hits(routing, .lru, conventions, slots: 2..<5) == [12, 15, 16])
    #expect(try hits(routing, .belady, conventions, slots: 2..<5) == [13, 15, 16])
    // Cold misses counted, both experts of a token looked up before either is read: by hand.
    var counted = conventions
    counted.coldMisses = .counted
    #expect(try hits(routing, .lru, counted, slots: 2..<3) == [10])
  }

  /// Requests of "Paging with Succinct Predictions" (arXiv 2210.02775), three slots: 7 and 10
  /// faults.
  @Test func singleRequestsMissAsPublished() throws {
    let routing = try RoutingSamples.routing("1 2 3 4 1 2 5 1 2 3 4 5", expertCount: 6)
    #expect(try hits(routing, .belady, .engine, slots: 3..<4) == [12 - 7])
    #expect(try hits(routing, .lru, .engine, slots: 3..<4) == [12 - 10])
  }

  /// Batches of "Towards MoE Deployment" (arXiv 2303.06182), experts one after the other: misses of
  /// least recently used and of the optimum.
  @Test func batchesMissAsPublished() throws {
    var conventions = ReplayConventions.engine
    (conventions.lookUp, conventions.order) = (.expert, .ascending)
    let even = try RoutingSamples.routing("123 123 123 123", expertCount: 4)
    #expect(try hits(even, .lru, conventions, slots: 2..<3) == [12 - 12])
    #expect(try hits(even, .belady, conventions, slots: 2..<3) == [12 - 7])
    let uneven = try RoutingSamples.routing("0123 123 023 0123 45 0123", expertCount: 6)
    #expect(try hits(uneven, .lru, conventions, slots: 2..<5) == [20 - 20, 20 - 14, 20 - 10])
    #expect(try hits(uneven, .belady, conventions, slots: 2..<5) == [20 - 14, 20 - 10, 20 - 7])
  }

  // MARK: Brute force

  private func conventions(_ seed: UInt64) -> ReplayConventions {
    var random = SeededGenerator(seed: seed)
    func pick<Value>(_ values: [Value]) -> Value {
      values[Int(random.next() % UInt64(values.count))]
    }
    return ReplayConventions(
      scope: pick([.layer, .pool]), lookUp: pick([.token, .layer, .expert]),
      coldMisses: pick([.counted, .credited]), continuity: pick([.restarted, .continued]),
      protection: pick([.none, .pending, .step]), order: pick([.asRecorded, .bestLast, .ascending]))
  }

  @Test func everyRuleAndConventionAgreesWithPlainReplays() throws {
    for seed in 0..<240 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let routing = try RoutingSamples.random(
        seed: seed,
        RoutingSamples.Shape(
          tokenCount: 10 + Int(random.next() % 30), layerCount: 1 + Int(random.next() % 3),
          expertCount: 4 + Int(random.next() % 5), expertsPerToken: 1 + Int(random.next() % 3),
          sequenceCount: 1 + Int(random.next() % 3), isRagged: random.next() % 3 == 0))
      let conventions = conventions(seed)
      for rule in rules {
        let curves = try HitCurves(routing, rule: rule, conventions: conventions)
        let scopes =
          conventions.scope == .layer
          ? (0..<routing.layerCount).map { $0..<$0 + 1 } : [0..<routing.layerCount]
        #expect(curves.parts.count == scopes.count)
        for (part, layers) in zip(curves.parts, scopes) {
          // Who ends an even match of the future is not said: hits then differ where not all
          // experts of a step fit.
          let least = rule == .belady ? routing.expertsPerToken * layers.count : 0
          for slots in least...routing.expertCount * layers.count {
            let naive = NaiveReplay(
              routing, layers: layers, slots: slots, rule: rule, conventions: conventions)
            #expect(
              part.hitCount(slots: slots, coldMisses: conventions.coldMisses) == naive.hitCount,
              "seed \(seed), \(rule), \(slots) slots, \(conventions)")
            #expect(part.requestCount == naive.requestCount)
          }
        }
        let sum = curves.sequences.reduce(0) { $0 + $1.hitCount(slots: 3, coldMisses: .credited) }
        #expect(sum == curves.total.hitCount(slots: 3, coldMisses: .credited), "seed \(seed)")
      }
    }
  }

  /// A list of more than 32 experts is one of several blocks.
  @Test func wideListsAgreeWithPlainReplays() throws {
    for seed in 0..<40 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let shape = RoutingSamples.Shape(
        tokenCount: 60, layerCount: 2, expertCount: 20 + Int(random.next() % 50),
        expertsPerToken: 1 + Int(random.next() % 6), sequenceCount: 1 + Int(random.next() % 3))
      let routing = try RoutingSamples.random(seed: seed, shape)
      let conventions = conventions(seed)
      let layers = conventions.scope == .pool ? 2 : 1
      let least = shape.expertsPerToken * layers
      for rule in rules {
        let curves = try HitCurves(routing, rule: rule, conventions: conventions)
        for slots in stride(from: least, through: shape.expertCount * layers, by: 7) {
          let naive = NaiveReplay(
            routing, layers: 0..<layers, slots: slots, rule: rule, conventions: conventions)
          #expect(
            curves.parts[0].hitCount(slots: slots, coldMisses: conventions.coldMisses)
              == naive.hitCount, "seed \(seed), \(rule), \(slots) slots, \(conventions)")
        }
      }
    }
  }

  /// The most hits that any choice of victims gives: for each set of residents the best so far.
  private func mostHits(_ steps: [[Int32]], slots: Int) -> Int {
    var best: [Set<Int32>: Int] = [[]: 0]
    for wanted in steps {
      var next: [Set<Int32>: Int] = [:]
      for (residents, hits) in best {
        let found = hits + wanted.count { residents.contains($0) }
        for kept in subsets(
          of: residents.subtracting(wanted),
          count: min(slots - wanted.count, residents.subtracting(wanted).count))
        {
          let state = kept.union(wanted)
          next[state] = max(next[state] ?? 0, found)
        }
      }
      best = next
    }
    return best.values.max() ?? 0
  }

  private func subsets(of set: Set<Int32>, count: Int) -> [Set<Int32>] {
    let items = set.sorted()
    return (0..<1 << items.count).filter { $0.nonzeroBitCount == count }.map { mask in
      Set(items.indices.filter { mask >> $0 & 1 == 1 }.map { items[$0] })
    }
  }

  @Test func theOptimumIsTheBestOfAllChoicesOfVictims() throws {
    for seed in 0..<60 as Range<UInt64> {
      let perToken = 1 + Int(seed % 3)
      let routing = try RoutingSamples.random(
        seed: seed,
        RoutingSamples.Shape(
          tokenCount: 14, layerCount: 1, expertCount: 6, expertsPerToken: perToken,
          sequenceCount: 1))
      let tokens = (0..<14).map { Array(routing.selection(token: $0, layer: 0)) }
      let single = tokens.map { Array($0.reversed()) }.joined().map { [$0] }
      var alone = ReplayConventions.engine
      alone.lookUp = .expert
      for slots in perToken...6 {
        let curve = try HitCurves(routing, rule: .belady, conventions: .engine).total
        #expect(
          curve.hitCount(slots: slots, coldMisses: .counted) == mostHits(tokens, slots: slots),
          "seed \(seed), \(slots) slots")
        let oneByOne = try HitCurves(routing, rule: .belady, conventions: alone).total
        #expect(
          oneByOne.hitCount(slots: slots, coldMisses: .counted) == mostHits(single, slots: slots),
          "seed \(seed), \(slots) slots")
      }
    }
  }

  // MARK: Properties

  @Test func nothingBeatsTheOptimumAndMoreSlotsNeverHurt() throws {
    for seed in 1000..<1060 as Range<UInt64> {
      let routing = try RoutingSamples.random(
        seed: seed,
        RoutingSamples.Shape(
          tokenCount: 80, layerCount: 2, expertCount: 9, expertsPerToken: 3, sequenceCount: 3))
      var conventions = conventions(seed)
      // Without protection an expert may hit and lose its slot: the one case above the optimum.
      if conventions.protection == .none { conventions.protection = .pending }
      let layers = conventions.scope == .pool ? 2 : 1
      let best = try HitCurves(routing, rule: .belady, conventions: conventions).total
      let curves =
        try rules.map {
          try HitCurves(routing, rule: $0, conventions: conventions).total
        } + [HitCurves(pinning: routing, scope: conventions.scope).total]
      for (index, curve) in curves.enumerated() {
        let rates = curve.hitRates(coldMisses: conventions.coldMisses)
        #expect(zip(rates, rates.dropFirst()).allSatisfy { $0 <= $1 }, "seed \(seed)")
        guard index < rules.count else { continue }
        for slots in 3 * layers...9 * layers {
          #expect(
            curve.hitCount(slots: slots, coldMisses: .counted)
              <= best.hitCount(slots: slots, coldMisses: .counted),
            "seed \(seed), \(rules[index]), \(slots) slots")
        }
        #expect(curve.hitRate(slots: 9 * layers, coldMisses: .credited) == 1, "seed \(seed)")
        #expect(
          curve.hitCount(slots: 99, coldMisses: .counted)
            == curve.requestCount - curve.compulsoryMissCount)
      }
      #expect(curves.last?.hitRate(slots: 9 * layers, coldMisses: .counted) == 1)
    }
  }

  /// With the experts of a sequence asked for in turn, one pool in strict order of execution hits
  /// nothing until it holds what all layers but one ask for.
  @Test func onePoolInOrderOfExecutionIsFlooded() throws {
    let routing = try RoutingSamples.random(
      seed: 8,
      RoutingSamples.Shape(
        tokenCount: 50, layerCount: 4, expertCount: 8, expertsPerToken: 2, sequenceCount: 1))
    let curve = try HitCurves(routing, rule: .lru, conventions: .october).total
    #expect(curve.hitCount(slots: 6, coldMisses: .counted) == 0)
    #expect(curve.hitCount(slots: 8, coldMisses: .counted) > 0)
  }

  @Test func pinningHoldsTheMostUsedExperts() throws {
    let curve = try HitCurves(pinning: try RoutingSamples.example(), scope: .layer).total
    // Uses 4, 4, 5, 3 of 16.
    #expect(
      (0...5).map { curve.hitCount(slots: $0, coldMisses: .counted) } == [0, 5, 9, 13, 16, 16])
  }

  @Test func meansAreOverSequences() throws {
    let routing = try RoutingSequences(
      layerCount: 1, expertCount: 2, expertsPerToken: 1, experts: [0, 0, 0, 0, 0, 1],
      sequenceStarts: [0, 4])
    var conventions = ReplayConventions.december
    conventions.coldMisses = .counted
    let curves = try HitCurves(routing, rule: .lru, conventions: conventions)
    #expect(curves.hitRate(slots: 1) == 0.5)
    #expect(curves.meanHitRate(slots: 1)?.value == 0.375)
    #expect(curves.meanHitRate(slots: 1)?.interval != nil)
    #expect(curves.slots(perToken: 2.0) == 2)
    #expect(curves.slots(perToken: .nan) == 0)
  }

  @Test func tracesAtTheEdgeHaveSensibleValues() throws {
    for (name, routing) in try RoutingSamples.degenerate() {
      for rule in rules {
        for conventions in [ReplayConventions.engine, .october, .december] {
          let curves = try HitCurves(routing, rule: rule, conventions: conventions)
          let requestCount = routing.experts.count { $0 >= 0 }
          #expect(curves.total.requestCount == requestCount, "\(name)")
          #expect((curves.hitRate(slots: 2) == nil) == (requestCount == 0), "\(name)")
          #expect(curves.total.hitCount(slots: -1, coldMisses: .credited) == 0)
          if requestCount > 0 {
            #expect(curves.total.hitRate(slots: .max, coldMisses: .credited) == 1, "\(name)")
          }
        }
      }
    }
  }

  @Test func refusesWhatDoesNotFit() throws {
    let routing = try RoutingSamples.example()
    for length in [0, -4, 1 << 15, .max] {
      #expect(throws: RoutingAnalysisError.self) {
        try HitCurves(routing, rule: .segment(length: length), conventions: .engine)
      }
    }
    let wide = try RoutingSequences(
      layerCount: 2, expertCount: 1 << 15 + 1, expertsPerToken: 1, experts: [0, 0])
    #expect(throws: RoutingAnalysisError.self) {
      try HitCurves(wide, rule: .lru, conventions: .december)
    }
    #expect(try HitCurves(wide, rule: .lru, conventions: .engine).total.requestCount == 2)
  }
}
