import MoEAnalysis
import MoECore
import Testing

@Suite struct PlacementTests {
  // MARK: Crossings

  @Test func theExampleIsPlacedAsPublished() throws {
    let affinity = try ExpertAffinity(try AffinityTests.paths())
    let identity = try ExpertPlacement(layerCount: 2, expertCount: 4, deviceCount: 2)
    #expect(identity.experts(onDevice: 0, layer: 1) == [0, 1])
    #expect(identity.crossings(affinity) == 2)
    let best = try ExpertPlacement(
      layerCount: 2, expertCount: 4, deviceCount: 2, devices: [0, 1, 0, 1, 1, 0, 1, 0])
    #expect(best.crossings(affinity) == 0)
    let found = try CrossingPlacement(affinity, deviceCount: 2)
    #expect(found.crossings == 0 && found.isOptimal)
    #expect(found.placement.crossings(affinity) == 0)
    let device = found.placement.device(ofExpert: 0, layer: 0)
    #expect(found.placement.experts(onDevice: device, layer: 0) == [0, 2])
    #expect(found.placement.experts(onDevice: device, layer: 1) == [1, 3])
  }

  /// All ways to put a layer's experts on devices evenly.
  private func layouts(_ expertCount: Int, _ deviceCount: Int) -> [[Int]] {
    var layouts: [[Int]] = [[]]
    for _ in 0..<expertCount {
      layouts = layouts.flatMap { layout in
        (0..<deviceCount).compactMap { device in
          layout.count { $0 == device } < expertCount / deviceCount ? layout + [device] : nil
        }
      }
    }
    return layouts
  }

  /// The fewest crossings of all even placements, token by token; `best[layout]` is the fewest up
  /// to a layer that is laid out so.
  private func fewest(_ routing: RoutingSequences, deviceCount: Int) -> Int {
    let layouts = layouts(routing.expertCount, deviceCount)
    var best = layouts.map { _ in 0 }
    for layer in 1..<max(1, routing.layerCount) {
      best = layouts.map { here in
        zip(layouts, best).map { there, crossings in
          var sum = crossings
          for token in 0..<routing.tokenCount {
            for first in routing.selection(token: token, layer: layer - 1) where first >= 0 {
              for second in routing.selection(token: token, layer: layer)
              where second >= 0 && there[Int(first)] != here[Int(second)] {
                sum += 1
              }
            }
          }
          return sum
        }.min() ?? 0
      }
    }
    return best.min() ?? 0
  }

  /// The bound is below the optimum, and search or solver are at it.
  @Test func placementsOfSmallModelsAreTheBestOfAll() throws {
    var exactCount = 0
    for seed in 0..<40 as Range<UInt64> {
      let deviceCount = 2 + Int(seed % 2)
      let routing = try RoutingSamples.random(
        seed: seed,
        RoutingSamples.Shape(
          tokenCount: 12 + Int(seed), layerCount: 2 + Int(seed % 3),
          expertCount: deviceCount == 2 ? 4 + 2 * Int(seed / 2 % 2) : 6,
          expertsPerToken: 1 + Int(seed / 4 % 2), sequenceCount: 1))
      let affinity = try ExpertAffinity(routing)
      let optimum = fewest(routing, deviceCount: deviceCount)
      let search = try CrossingPlacement(
        affinity, deviceCount: deviceCount, seed: seed, startCount: 32, solverSeconds: 0)
      #expect(search.method == .search)
      #expect(search.placement.crossings(affinity) == search.crossings)
      #expect(search.crossingsMin <= optimum && optimum <= search.crossings, "seed \(seed)")
      if search.crossings == optimum { exactCount += 1 }
      if search.isOptimal { #expect(search.crossings == optimum, "seed \(seed)") }
      if PlacementProgram.isAvailable {
        let solved = try CrossingPlacement(
          affinity, deviceCount: deviceCount, seed: seed, startCount: 1, solverSeconds: 30)
        #expect(solved.crossings == optimum && solved.isOptimal, "seed \(seed)")
        #expect(solved.placement.crossings(affinity) == optimum, "seed \(seed)")
      }
    }
    #expect(exactCount >= 38, "\(exactCount) of 40 placements found by search are the best")
  }

  /// Chains of experts that no token leaves, with numbers shuffled by layer, are found again.
  @Test func hiddenGroupsAreFound() throws {
    var random = SeededGenerator(seed: 12)
    let (layerCount, expertCount, deviceCount) = (6, 16, 4)
    let names = (0..<layerCount).map { _ in (0..<Int32(expertCount)).shuffled(using: &random) }
    var experts: [Int32] = []
    for _ in 0..<400 {
      let group = Int(random.next() % 4)
      for layer in 0..<layerCount {
        experts.append(names[layer][group * 4 + Int(random.next() % 4)])
      }
    }
    let affinity = try ExpertAffinity(
      try RoutingSequences(
        layerCount: layerCount, expertCount: expertCount, expertsPerToken: 1, experts: experts))
    let identity = try ExpertPlacement(
      layerCount: layerCount, expertCount: expertCount, deviceCount: deviceCount)
    #expect(identity.crossings(affinity) > 1000)
    let found = try CrossingPlacement(affinity, deviceCount: deviceCount, solverSeconds: 0)
    #expect(found.crossings == 0)
    let again = try CrossingPlacement(affinity, deviceCount: deviceCount, solverSeconds: 0)
    #expect(again == found)
  }

  @Test func refusesWhatCannotBePlaced() throws {
    let affinity = try ExpertAffinity(try AffinityTests.paths())
    for deviceCount in [0, -1, 3, 5] {
      #expect(throws: RoutingAnalysisError.self) {
        try CrossingPlacement(affinity, deviceCount: deviceCount)
      }
    }
    #expect(throws: RoutingAnalysisError.self) {
      try CrossingPlacement(
        try ExpertAffinity(AffinityTests.paths(), layerDistance: 2), deviceCount: 2)
    }
    for devices in [[0, 0, 0, 1], [0, 0, 1], [0, 0, 1, 2]] {
      #expect(throws: RoutingAnalysisError.self) {
        try ExpertPlacement(layerCount: 1, expertCount: 4, deviceCount: 2, devices: devices)
      }
    }
    #expect(try CrossingPlacement(affinity, deviceCount: 1).crossings == 0)
    #expect(try CrossingPlacement(affinity, deviceCount: 4).placement.expertsPerDevice == 1)
    for (name, routing) in try RoutingSamples.degenerate() {
      let found = try CrossingPlacement(
        try ExpertAffinity(routing), deviceCount: routing.expertCount, solverSeconds: 0)
      #expect(found.crossings >= found.crossingsMin, "\(name)")
    }
  }

  // MARK: Balance

  private func loads() throws -> ExpertLoads {
    try ExpertLoads(
      [[2, 9, 2, 9], [2, 9, 1, 6], [7, 1, 7, 1], [9, 1, 10, 4]].map { $0.map { $0 / 20 } })
  }

  /// ("Towards MoE Deployment", arXiv 2303.06182)
  @Test(arguments: [
    (BalancedPlacement.Rule.greedy, [1, 1, 0, 0], 0.90, 0.825),
    (.antiCorrelated, [0, 1, 1, 0], 0.65, 0.575),
  ])
  func loadsAreBalancedAsPublished(
    _ rule: BalancedPlacement.Rule, _ devices: [Int], _ most: Double, _ mean: Double
  ) throws {
    let placement = try BalancedPlacement(try loads(), deviceCount: 2, rule: rule)
    #expect(placement.devices == devices)
    #expect(abs(placement.busiestMax - most) < 1e-12)
    #expect(abs(placement.busiestMean - mean) < 1e-12)
    #expect(abs(placement.imbalance - (most - 0.5)) < 1e-12)
  }

  @Test func loadsOfATraceAreSharesOfItsBatches() throws {
    let loads = try ExpertLoads(RoutingSamples.example(), layer: 0, tokensPerBatch: 3)
    // 01 01 02 | 02 12 13 | (23 23)
    #expect(loads.batchCount == 2)
    let wanted: [[Double]] = [[3, 2, 1, 0], [1, 2, 2, 1]]
    for (batch, counts) in wanted.enumerated() {
      for (expert, count) in counts.enumerated() {
        #expect(loads.load(expert, batch: batch) == count / 6)
      }
    }
    #expect(loads.correlation(0, 2) == -1 && loads.correlation(0, 1) == 0)
    #expect(abs(loads.mean(0) - 2.0 / 6) < 1e-12)
    #expect(try ExpertLoads(RoutingSamples.example(), layer: 0, tokensPerBatch: 99).batchCount == 1)
  }

  /// The largest load of any device in any batch.
  private func busiest(_ loads: ExpertLoads, _ layout: [Int], _ deviceCount: Int) -> Double {
    var most = 0.0
    for batch in 0..<loads.batchCount {
      for device in 0..<deviceCount {
        var sum = 0.0
        for expert in layout.indices where layout[expert] == device {
          sum += loads.load(expert, batch: batch)
        }
        most = max(most, sum)
      }
    }
    return most
  }

  /// Every device is as full as every other, and no worse than the worst placement there is.
  @Test func balancedPlacementsAreEven() throws {
    for seed in 0..<20 as Range<UInt64> {
      let routing = try RoutingSamples.random(
        seed: seed, RoutingSamples.Shape(tokenCount: 60, layerCount: 1, expertCount: 6))
      let loads = try ExpertLoads(routing, layer: 0, tokensPerBatch: 10)
      for deviceCount in [1, 2, 3, 6] {
        let all = layouts(6, deviceCount).map { layout in
          (0..<loads.batchCount).map { batch in
            var sums = [Double](repeating: 0, count: deviceCount)
            for expert in 0..<6 { sums[layout[expert]] += loads.load(expert, batch: batch) }
            return sums.max() ?? 0
          }.max() ?? 0
        }
        for rule in BalancedPlacement.Rule.allCases {
          let placement = try BalancedPlacement(loads, deviceCount: deviceCount, rule: rule)
          for device in 0..<deviceCount {
            #expect(placement.devices.count { $0 == device } == 6 / deviceCount)
          }
          #expect(placement.busiestMax >= (all.min() ?? 0) - 1e-12, "seed \(seed)")
          #expect(placement.busiestMax <= (all.max() ?? 1) + 1e-12, "seed \(seed)")
        }
      }
    }
  }

  @Test func refusesLoadsThatAreNone() throws {
    for loads in [[], [[]], [[0.5], [0.2, 0.3]], [[.nan]], [[.infinity, 0]]] as [[[Double]]] {
      #expect(throws: RoutingAnalysisError.self) { try ExpertLoads(loads) }
    }
    let example = try RoutingSamples.example()
    for (layer, tokens) in [(1, 2), (-1, 2), (0, 0)] {
      #expect(throws: RoutingAnalysisError.self) {
        try ExpertLoads(example, layer: layer, tokensPerBatch: tokens)
      }
    }
    #expect(throws: RoutingAnalysisError.self) {
      try BalancedPlacement(loads(), deviceCount: 3, rule: .greedy)
    }
  }
}
