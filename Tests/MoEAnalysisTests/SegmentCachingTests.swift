import MoEAnalysis
import MoECore
import Testing

@Suite struct SegmentCachingTests {
  // MARK: Published vectors

  @Test(arguments: [
    (1, [12, 15, 16]), (2, [13, 15, 16]), (4, [12, 15, 16]), (8, [12, 15, 16]),
  ])
  func theRuleOfDecemberIsAsPublished(_ length: Int, _ hits: [Int]) throws {
    let curves = try SegmentCaching.december.curves(
      RoutingSamples.example(), segmentLength: length)
    #expect((2...4).map { curves.total.hitCount(slots: $0, coldMisses: .credited) } == hits)
  }

  @Test(arguments: [(2, [24, 28], 28), (4, [28, 38], 40)])
  func theCoverageOfOctoberIsAsPublished(_ length: Int, _ covered: [Int], _ all: Int) throws {
    let curve = try SegmentCaching.october.curves(
      RoutingSamples.example(), segmentLength: length
    ).total
    #expect((2...3).map { curve.hitCount(slots: $0, coldMisses: .counted) } == covered)
    #expect(curve.requestCount == all)
  }

  // MARK: Brute force

  @Test func theCoverageOfOctoberAgreesWithSortingEverySegment() throws {
    for seed in 0..<60 as Range<UInt64> {
      let routing = try RoutingSamples.random(
        seed: seed, RoutingSamples.Shape(isRagged: seed % 2 == 0))
      for scope in [ReplayConventions.Scope.layer, .pool] {
        for length in [1, 2, 3, 5, 8] {
          let curves = try SegmentCaching.october.curves(
            routing, segmentLength: length, conventions: .december.scoped(scope))
          var covered = [Int](repeating: 0, count: 15)
          var all = 0
          let scopes = scope == .pool ? [[0, 1]] : [[0], [1]]
          for layers in scopes {
            for tokens in routing.sequences where tokens.count >= length {
              for start in tokens.lowerBound...tokens.upperBound - length {
                var uses: [[Int]: Int] = [:]
                for token in start..<start + length {
                  for layer in layers {
                    for expert in routing.selection(token: token, layer: layer) where expert >= 0 {
                      uses[[layer, Int(expert)], default: 0] += 1
                    }
                  }
                }
                let sorted = uses.values.sorted(by: >)
                all += sorted.reduce(0, +)
                for slots in 0..<15 { covered[slots] += sorted.prefix(slots).reduce(0, +) }
              }
            }
          }
          let curve = curves.total
          #expect(curve.requestCount == all, "seed \(seed)")
          #expect(
            (0..<15).map { curve.hitCount(slots: $0, coldMisses: .counted) } == covered,
            "seed \(seed), \(scope), \(length)")
        }
      }
    }
  }

  // MARK: Properties

  @Test func theGuardedRuleIsNeverAboveTheOptimum() throws {
    var isReleasedRuleAbove = false
    for seed in 0..<150 as Range<UInt64> {
      let routing = try RoutingSamples.random(
        seed: seed,
        RoutingSamples.Shape(
          tokenCount: 60, layerCount: 1, expertCount: 8, expertsPerToken: 3, sequenceCount: 2))
      let best = try HitCurves(routing, rule: .belady, conventions: .december).total
      for length in [1, 2, 4, 16] {
        let guarded = try SegmentCaching.guarded.curves(routing, segmentLength: length).total
        let released = try SegmentCaching.december.curves(routing, segmentLength: length).total
        for slots in 3...8 {
          let (most, hits) = (
            best.hitCount(slots: slots, coldMisses: .credited),
            guarded.hitCount(slots: slots, coldMisses: .credited)
          )
          #expect(hits <= most, "seed \(seed), look-ahead \(length), \(slots) slots")
          let unguarded = released.hitCount(slots: slots, coldMisses: .credited)
          if unguarded > most { isReleasedRuleAbove = true }
          if length == 1 { #expect(unguarded == hits, "seed \(seed), \(slots) slots") }
        }
      }
    }
    #expect(isReleasedRuleAbove, "as released it is above the optimum now and then")
  }

  /// With one token of look-ahead, what is left to go by is recency.
  @Test func aLookAheadOfOneTokenIsLeastRecentlyUsed() throws {
    for seed in 0..<40 as Range<UInt64> {
      let routing = try RoutingSamples.random(seed: seed, RoutingSamples.Shape())
      let conventions = ReplayConventions.december.scoped(.layer)
      let segment = try SegmentCaching.guarded.curves(
        routing, segmentLength: 1, conventions: conventions)
      let lru = try HitCurves(routing, rule: .lru, conventions: conventions)
      #expect(segment.parts == lru.parts, "seed \(seed)")
    }
  }

  @Test func tracesAtTheEdgeHaveSensibleValues() throws {
    for (name, routing) in try RoutingSamples.degenerate() {
      for definition in SegmentCaching.allCases {
        for length in [1, 3] {
          let curves = try definition.curves(routing, segmentLength: length)
          if let rate = curves.hitRate(slots: .max) { #expect(rate == 1, "\(name)") }
          #expect(throws: RoutingAnalysisError.self) {
            try definition.curves(routing, segmentLength: 0)
          }
        }
      }
    }
  }
}
