import MoEAnalysis
import MoECore
import Testing

@Suite struct PerformanceModelTests {
  /// Two layers of round figures, in seconds: dense work 10 for a token and 1 more for each
  /// further one, an expert 4 at 1 token and 8 at 5.
  private func costs(slots: Int = 4, isResident: Bool = false) -> RunCosts {
    let layer = RunCosts.Layer(
      dense: curve([(1, 10), (11, 20)]), expert: curve([(1, 4), (5, 8)]), denseByteCount: 100,
      expertByteCount: 50, sizeClass: 0, keyValueByteCount: 3)
    return RunCosts(
      layers: [layer, layer], slotCounts: [2 * slots], expertCount: 8, expertsPerToken: 2,
      isResident: isResident, chunkTokenCount: 10, attentionSecondsPerPosition: 0.5,
      chunkAttentionSecondsPerPosition: 0.25, output: curve([(1, 7)]),
      outputByteCount: 60, samplingSeconds: 1, forkSeconds: 0.5, memoryBytesPerSecond: 100,
      disk: RunCosts.Disk(latencySeconds: 1, bytesPerSecond: 10, computeSlowdown: 1.25))
  }

  private func curve(_ points: [(Double, Double)]) -> CostCurve {
    CostCurve(points.map { CostCurve.Point(tokenCount: $0.0, seconds: $0.1) })
  }

  /// Chunks of any size use half of the experts.
  private func routing(_ hitRate: Double, expertsPerToken: Int = 2) -> RoutingEstimate {
    RoutingEstimate(
      hitRate: hitRate, expertsPerToken: expertsPerToken,
      distinct: DistinctExperts([
        DistinctExperts.Point(demand: 0.1, share: 0.5),
        DistinctExperts.Point(demand: 1000, share: 0.5),
      ]), basis: .user, note: "")
  }

  /// A layer without experts in front: its dense work and attention count, and no request is its.
  @Test(arguments: [false, true]) func layersWithoutExpertsCostNoExperts(isResident: Bool) {
    let routed = costs(isResident: isResident)
    var mixed = routed
    var dense = routed.layers[0]
    (dense.expert, dense.expertByteCount, dense.sizeClass) = (.zero, 0, nil)
    mixed.layers.insert(dense, at: 0)
    let (plain, more) = (
      PerformanceModel(costs: routed, routing: routing(0.2)),
      PerformanceModel(costs: mixed, routing: routing(0.2))
    )
    let (before, after) = (plain.decode(position: 6), more.decode(position: 6))
    // Dense 10, attention 3.
    #expect(abs(after.seconds - before.seconds - 13) < 1e-9)
    #expect(after.readByteCount == before.readByteCount && after.hitRate == before.hitRate)
    let prompts = (plain.prefill(promptTokenCount: 25), more.prefill(promptTokenCount: 25))
    // Chunks of 10, 10 and 5: dense 19, 19 and 14, attention over 55, 155 and 115 positions.
    #expect(abs(prompts.1.seconds - prompts.0.seconds - 52 - 0.25 * 325) < 1e-9)
    #expect(prompts.1.readByteCount == prompts.0.readByteCount)
    #expect(prompts.1.hitRate == prompts.0.hitRate)
    #expect(mixed.meanSlotsPerLayer == routed.meanSlotsPerLayer)
  }

  @Test func attentionGrowsOnlyToItsWindow() {
    var costs = costs(isResident: true)
    for layer in costs.layers.indices { costs.layers[layer].attendedPositionMax = 8 }
    let model = PerformanceModel(costs: costs, routing: routing(0.2))
    #expect(model.decode(position: 8) == model.decode(position: 100))
    #expect(model.decode(position: 7).seconds < model.decode(position: 8).seconds)
    var whole = costs
    for layer in whole.layers.indices { whole.layers[layer].attendedPositionMax = nil }
    let unlimited = PerformanceModel(costs: whole, routing: routing(0.2))
    // Positions 1 to 8 and then 8 each, in place of 1 to 25, in two layers.
    let fewer = 2 * (325 - 36 - 17 * 8)
    let seconds = unlimited.prefill(promptTokenCount: 25).seconds
    #expect(
      abs(seconds - model.prefill(promptTokenCount: 25).seconds - 0.25 * Double(fewer)) < 1e-9)
  }

  @Test func decodesAtTheSumOfItsPartsWhereAllIsResident() {
    let model = PerformanceModel(costs: costs(isResident: true), routing: routing(0.2))
    let token = model.decode(position: 6)
    // Output 7, sampling 1, twice: dense 10, attention 3, experts 8.
    #expect(token.seconds == 50 && token.computeSeconds == 50 && token.overlappedSeconds == 50)
    // (60 + 2 · (100 + 2 · 50 + 6 · 3)) / 100
    #expect(abs(token.memorySeconds - 4.96) < 1e-9)
    #expect(token.hitRate == 1 && token.readByteCount == 0 && token.binding == .compute)
    #expect(token.tokensPerSecond == 1.0 / 50)
  }

  @Test func overlapsHitsWithReadsAndComputesTheLastMissAlone() {
    let model = PerformanceModel(costs: costs(), routing: routing(0.5))
    let token = model.decode(position: 0)
    // No miss (1/4): dense 10, experts 8. One (1/2): 10, max(4 while reading 6, 6 at 1.25 slower:
    // 4 + 1.2), then 4 + 1. Two (1/4): 10, max(4 + 11 · 0.2, 11), then 5.
    let layer = 0.25 * 18 + 0.5 * (10 + 6 + 5) + 0.25 * (10 + 11 + 5)
    #expect(abs(token.seconds - (8 + 2 * layer)) < 1e-9)
    #expect(abs(token.diskSeconds - 2 * (0.5 * 6 + 0.25 * 11)) < 1e-9)
    #expect(abs(token.readByteCount - 100) < 1e-9)
    #expect(abs(token.hitRate - 0.5) < 1e-9)
  }

  @Test func readsThatStartEarlyHideBehindDenseWork() {
    let model = PerformanceModel(costs: costs(), routing: routing(0), overlapShare: 0.5)
    let token = model.decode(position: 0)
    // Both missed, 11 to read: half of the dense 10, then max(5 + 4 + 2.2, 11), then 5.
    #expect(abs(token.seconds - (8 + 2 * (5 + 11.2 + 5))) < 1e-9)
  }

  /// Every pattern of hits and misses by itself.
  @Test(arguments: [0.0, 0.3, 0.71, 1]) func theExpectationIsThatOfAllPatterns(_ rate: Double) {
    let model = PerformanceModel(costs: costs(), routing: routing(rate))
    var layer = 0.0
    for pattern in 0..<4 {
      let missCount = pattern.nonzeroBitCount
      var probability = 1.0
      for expert in 0..<2 { probability *= pattern >> expert & 1 == 1 ? 1 - rate : rate }
      let disk = missCount == 0 ? 0 : 1 + Double(missCount) * 5
      layer +=
        probability * (missCount == 0 ? 18 : 10 + max(disk, 4 + disk * 0.2) + 5)
    }
    #expect(abs(model.decode(position: 0).seconds - (8 + 2 * layer)) < 1e-9)
  }

  @Test func prefillsInChunksWhoseExpertsWaitForTheirReads() {
    let model = PerformanceModel(costs: costs(), routing: routing(0.5))
    let prompt = model.prefill(promptTokenCount: 11)
    // First chunk: 10 tokens, 4 of 8 experts with 5 tokens each (8 s), all missed. Dense 19,
    // attention 0.25 · 55. Reads end at 6, 11, 16 and 21. The first expert waits until 6 and ends
    // at 16, being slower by 1.25; the second has 5 s beside reads, so ends at 16 + 8 + 5 / 5; then
    // 8 each. Second chunk: its one token takes 2 of the 4 experts, all of which are there still.
    let first = 19 + 13.75 + (16 + 9 + 8 + 8)
    let second = 10 + 0.25 * 11 + 2 * 4
    #expect(abs(prompt.seconds - (7 + 2 * (first + second))) < 1e-9)
    #expect(abs(prompt.readByteCount - 2 * 50 * 4) < 1e-9)
    #expect(abs(prompt.diskSeconds - 2 * 21) < 1e-9)
    #expect(abs(prompt.hitRate - (1 - 8.0 / 12)) < 1e-9)
  }

  @Test func namesTheResourceThatIsBusyLongest() {
    var costs = costs()
    func binding(_ hitRate: Double) -> BindingResource {
      PerformanceModel(costs: costs, routing: routing(hitRate)).decode(position: 0).binding
    }
    #expect(binding(1) == .compute)
    costs.memoryBytesPerSecond = 10
    #expect(binding(1) == .memory)
    costs.disk.bytesPerSecond = 1
    #expect(binding(0) == .disk)
  }

  @Test func moreMemoryFasterDisksAndMoreOverlapNeverSlowDown() {
    for seed in 0..<200 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      var costs = costs(slots: Int.random(in: 2...6, using: &random))
      costs.disk.bytesPerSecond = Double.random(in: 0.5...500, using: &random)
      costs.disk.latencySeconds = Double.random(in: 0...5, using: &random)
      costs.disk.computeSlowdown = Double.random(in: 1...3, using: &random)
      costs.forkSeconds = Double.random(in: 0...1, using: &random)
      let overlap = Double.random(in: 0...0.9, using: &random)
      func seconds(_ costs: RunCosts, _ overlap: Double) -> (Double, Double) {
        let routing = RoutingEstimate.assumed(architecture: "qwen3moe", costs: costs)
        let model = PerformanceModel(costs: costs, routing: routing, overlapShare: overlap)
        return (
          model.decode(position: 9).seconds, model.prefill(promptTokenCount: 35).seconds
        )
      }
      let base = seconds(costs, overlap)
      var larger = costs
      larger.slotCounts[0] += Int.random(in: 1...6, using: &random)
      var faster = costs
      faster.disk.bytesPerSecond *= Double.random(in: 1...4, using: &random)
      var resident = costs
      resident.isResident = true
      for other in [
        seconds(larger, overlap), seconds(faster, overlap), seconds(costs, overlap + 0.1),
        seconds(resident, overlap),
      ] {
        #expect(other.0 <= base.0 * (1 + 1e-12), "seed \(seed)")
        #expect(other.1 <= base.1 * (1 + 1e-12), "seed \(seed)")
      }
    }
  }

  @Test func aStatedHitRateMovesWithThePoolAsTheFamilysDoes() {
    let planned = costs(slots: 3)
    func stated(_ costs: RunCosts) -> Double {
      RoutingEstimate.stated(0.6, for: planned, in: costs, architecture: "qwen3moe").hitRate
    }
    #expect(abs(stated(planned) - 0.6) < 1e-12)
    #expect(stated(costs(slots: 4)) > 0.6 && stated(costs(slots: 2)) < 0.6)
    #expect(stated(costs(slots: 8)) == 1)
    #expect(stated(costs(isResident: true)) == 1)
  }

  @Test func aReplayGivesTheHitRateOfTheRunsOwnPool() {
    let trace = RoutingTrace(
      layerCount: 2, expertsPerToken: 2,
      experts: (0..<400).map { Int32($0 % 4 + $0 / 100) })
    let routing = RoutingEstimate.replayed(
      trace, name: "t", costs: costs(slots: 8), policy: "lfu", withOptimum: true)
    #expect(routing.hitRate == 1 && routing.basis == .measured)
    let small = RoutingEstimate.replayed(
      trace, name: "t", costs: costs(slots: 3), policy: "lfu", withOptimum: true)
    #expect(small.hitRate < 1)
    #expect(abs(small.missDistribution.reduce(0, +) - 1) < 1e-9)
    if let best = small.optimalHitRate { #expect(best >= small.hitRate && best <= 1) }
  }
}
