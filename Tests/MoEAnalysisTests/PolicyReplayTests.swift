import MoEAnalysis
import MoECache
import MoECore
import Testing

@Suite struct PolicyReplayTests {
  private func lru() throws -> PolicyEntry { try #require(PolicyRegistry.entry(named: "lru")) }

  @Test func recencyInTheEngineIsTheCurveOfRecency() throws {
    for seed in 0..<40 as Range<UInt64> {
      let routing = try RoutingSamples.random(
        seed: seed,
        RoutingSamples.Shape(
          tokenCount: 60, layerCount: 3, expertCount: 8, expertsPerToken: 3, sequenceCount: 3,
          isRagged: seed % 2 == 0))
      for lookUp in [ReplayConventions.LookUp.layer, .expert] {
        for continuity in [ReplayConventions.Continuity.continued, .restarted] {
          var conventions = ReplayConventions.engine
          (conventions.lookUp, conventions.continuity) = (lookUp, continuity)
          if lookUp == .expert { conventions.order = .asRecorded }
          let curve = try HitCurves(routing, rule: .lru, conventions: conventions).total
          let replay = PolicyReplay(
            routing, policy: try lru(), slotCounts: Array(3...8), conventions: conventions)
          // The engine counts recency in tokens and ranks the better expert above, so that the
          // order within a token agrees with the curve only where its experts come best last.
          guard lookUp == .layer else {
            #expect(
              replay.points.map(\.requestCount) == Array(repeating: curve.requestCount, count: 6))
            continue
          }
          for point in replay.points {
            #expect(
              point.hitCount == curve.hitCount(slots: point.slots, coldMisses: .counted),
              "seed \(seed), \(point.slots) slots")
            #expect(
              point.hitRate(.credited)
                == curve.hitRate(slots: point.slots, coldMisses: .credited))
          }
        }
      }
    }
  }

  @Test(arguments: PolicyRegistry.all.map(\.name)) func noPolicyBeatsTheOptimum(
    _ name: String
  ) throws {
    let policy = try #require(PolicyRegistry.entry(named: name))
    for seed in 0..<20 as Range<UInt64> {
      let routing = try RoutingSamples.random(
        seed: seed, RoutingSamples.Shape(tokenCount: 80, expertCount: 8, expertsPerToken: 2))
      let best = try HitCurves(routing, rule: .belady, conventions: .engine).total
      let replay = PolicyReplay(
        routing, policy: policy, slotCounts: Array(2...8), conventions: .engine)
      for point in replay.points {
        #expect(
          point.hitCount <= best.hitCount(slots: point.slots, coldMisses: .counted),
          "seed \(seed), \(point.slots) slots")
      }
      #expect(replay.points.last?.hitRate(.credited) == 1)
    }
  }

  /// Where layers have slots of their own, a replay of them all counts as the layers' sum, and as
  /// the whole cache of the engine does once it is full.
  @Test func countsAsTheReplayOfTheWholeCache() throws {
    let routing = try RoutingSamples.random(
      seed: 4,
      RoutingSamples.Shape(
        tokenCount: 300, layerCount: 3, expertCount: 10, expertsPerToken: 2, sequenceCount: 1))
    let trace = RoutingTrace(layerCount: 3, expertsPerToken: 2, experts: routing.experts)
    let geometry = CacheGeometry(
      layers: Array(repeating: LayerGeometry(expertCount: 10, sizeClass: 0), count: 3),
      slotCounts: [12])
    for policy in PolicyRegistry.all where policy.name != "clock" {
      let whole = CacheReplay(trace, geometry: geometry, policy: policy)
      let replay = PolicyReplay(
        routing, policy: policy, slotCounts: [4], conventions: .engine)
      #expect(abs(replay.points[0].hitCount - whole.hitCount) <= 12, "\(policy.name)")
    }
  }

  @Test func poolsSmallerThanARequestAndEmptyTracesNeverTrap() throws {
    for (name, routing) in try RoutingSamples.degenerate() {
      for scope in [ReplayConventions.Scope.layer, .pool] {
        let replay = PolicyReplay(
          routing, policy: try lru(), slotCounts: [-1, 0, 1, 2, 1000],
          conventions: .engine.scoped(scope))
        #expect(replay.points[0].hitCount == 0 && replay.points[1].hitCount == 0, "\(name)")
        if let rate = replay.points[4].hitRate(.credited) { #expect(rate == 1, "\(name)") }
      }
    }
  }
}
