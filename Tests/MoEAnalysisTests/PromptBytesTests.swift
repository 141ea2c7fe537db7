import MoEAnalysis
import MoECore
import Testing

/// What a prompt reads, by the performance model and by brute force.
@Suite struct PromptBytesTests {
  private static let (layerCount, expertCount, expertsPerToken, expertByteCount) = (3, 24, 3, 1000)

  private func costs(slots: Int, chunk: Int, lent: Int = 0) -> RunCosts {
    let curve = CostCurve([CostCurve.Point(tokenCount: 1, seconds: 0.001)])
    // Each layer has slots of its own size, so that none takes another's.
    let layers = (0..<Self.layerCount).map {
      RunCosts.Layer(
        dense: curve, expert: curve, denseByteCount: 100, expertByteCount: Self.expertByteCount,
        sizeClass: $0, keyValueByteCount: 0)
    }
    return RunCosts(
      layers: layers, slotCounts: Array(repeating: slots + lent, count: Self.layerCount),
      ownSlotCounts: Array(repeating: slots, count: Self.layerCount),
      expertCount: Self.expertCount, expertsPerToken: Self.expertsPerToken, isResident: false,
      chunkTokenCount: chunk, attentionSecondsPerPosition: 0, chunkAttentionSecondsPerPosition: 0,
      output: .zero, outputByteCount: 0, samplingSeconds: 0,
      forkSeconds: 0, memoryBytesPerSecond: 1e9,
      disk: RunCosts.Disk(latencySeconds: 0, bytesPerSecond: 1e6, computeSlowdown: 1))
  }

  /// Popular experts come more often, and some stay from token to token.
  private func trace(seed: UInt64, tokenCount: Int) -> RoutingTrace {
    var random = SeededGenerator(seed: seed)
    var experts: [Int32] = []
    for _ in 0..<tokenCount * Self.layerCount {
      var chosen: [Int32] = []
      while chosen.count < Self.expertsPerToken {
        let unit = random.nextUnit()
        let expert = Int32(unit * unit * Double(Self.expertCount))
        if !chosen.contains(expert) { chosen.append(expert) }
      }
      experts += chosen
    }
    return RoutingTrace(
      layerCount: Self.layerCount, expertsPerToken: Self.expertsPerToken, experts: experts)
  }

  @Test(arguments: [3, 5, 6, 9, 12, 18], [1, 2, 7, 16, 40])
  func readsWhatBruteForceReads(slots: Int, chunk: Int) {
    var (missSum, chunkCount) = (0, 0)
    for seed: UInt64 in 0..<6 {
      let tokenCount = 70 + Int(seed)
      let trace = trace(seed: seed, tokenCount: tokenCount)
      let costs = costs(slots: slots, chunk: chunk)
      // So few chunks that every one of them is replayed.
      let promptTokenCount = min(tokenCount, 16 * chunk)
      let routing = RoutingEstimate.replayed(
        trace, name: "t", costs: costs, policy: "lru", withOptimum: false)
      let prompt = PerformanceModel(costs: costs, routing: routing)
        .prefill(promptTokenCount: promptTokenCount)
      let naive = NaiveChunks(
        slotCount: slots, expertsPerToken: Self.expertsPerToken, chunkTokenCount: chunk)
      var missCount = 0
      for layer in 0..<Self.layerCount {
        let misses = naive.missCounts(
          (0..<promptTokenCount).map { trace.selection(token: $0, layer: layer).map(Int.init) })
        missCount += misses.reduce(0, +)
        chunkCount += misses.count
      }
      #expect(prompt.readByteCount == Double(missCount * Self.expertByteCount), "seed \(seed)")
      missSum += missCount
    }
    #expect(missSum > 0 && missSum < chunkCount * Self.expertCount)
  }

  /// Slots in lent memory keep more, but a chunk still holds as many as its own slots allow.
  @Test func lentSlotsThatGoLeaveLess() {
    let trace = trace(seed: 1, tokenCount: 64)
    func misses(_ slotCounts: [Int]) -> Double {
      var costs = costs(slots: 6, chunk: 8, lent: 8)
      costs.promptSlotCounts = slotCounts.map { Array(repeating: $0, count: Self.layerCount) }
      let routing = RoutingEstimate.replayed(
        trace, name: "t", costs: costs, policy: "lru", withOptimum: false)
      return PerformanceModel(costs: costs, routing: routing).prefill(promptTokenCount: 64)
        .readByteCount
    }
    let (none, all) = (Array(repeating: 6, count: 8), Array(repeating: 14, count: 8))
    let going = (0..<8).map { 14 - $0 }
    #expect(misses(all) < misses(going) && misses(going) < misses(none))
    #expect(misses(all) == misses([]))
  }

  /// What is drawn where there is no trace uses as many experts as it is said to, and two chunks
  /// share as many as they are said to.
  @Test func drawnChunksUseAndShareWhatTheTableSays() {
    let trace = trace(seed: 3, tokenCount: 4096)
    let distinct = DistinctExperts(trace, expertCount: Self.expertCount)
    for chunk in [4, 8] {
      // Slots for all: every expert is read once, when it first comes.
      let costs = costs(slots: 23, chunk: chunk)
      var routing = RoutingEstimate(
        hitRate: 0.5, expertsPerToken: Self.expertsPerToken, distinct: distinct, basis: .user,
        note: "")
      routing.policy = "lru"
      func read(_ tokenCount: Int) -> Double {
        PerformanceModel(costs: costs, routing: routing).prefill(promptTokenCount: tokenCount)
          .readByteCount / Double(Self.layerCount * Self.expertByteCount)
      }
      func wanted(_ tokenCount: Int) -> Double {
        let demand = Double(tokenCount * Self.expertsPerToken) / Double(Self.expertCount)
        return distinct.share(demand: demand) * Double(Self.expertCount)
      }
      #expect(abs(read(chunk) - wanted(chunk)) < 1)
      #expect(abs(read(2 * chunk) - wanted(2 * chunk)) < 1.7)
    }
  }

  @Test func longPromptsAreForeseenInATime() {
    let costs = costs(slots: 6, chunk: 8)
    let routing = RoutingEstimate.assumed(architecture: "qwen3moe", costs: costs)
    let model = PerformanceModel(costs: costs, routing: routing)
    let (short, long) = (
      model.prefill(promptTokenCount: 800), model.prefill(promptTokenCount: 80_000)
    )
    // Chunks in between are not replayed, but they count.
    #expect(abs(long.readByteCount / short.readByteCount / 100 - 1) < 0.1)
    #expect(long.tokenCount == 80_000 && long.seconds > 90 * short.seconds)
  }

  /// With few slots, each expert waits for a read that could only begin when a slot was given back.
  @Test func aChunkIsNoFasterThanItsSlotsAllow() {
    let trace = trace(seed: 5, tokenCount: 40)
    var last = Double.infinity
    for slots in [3, 6, 12, 23] {
      var costs = costs(slots: slots, chunk: 40)
      costs.disk.bytesPerSecond = 1e6
      let routing = RoutingEstimate.replayed(
        trace, name: "t", costs: costs, policy: "lru", withOptimum: false)
      let prompt = PerformanceModel(costs: costs, routing: routing).prefill(promptTokenCount: 40)
      #expect(prompt.seconds > prompt.overlappedSeconds)
      #expect(prompt.seconds <= prompt.computeSeconds + prompt.diskSeconds + 1e-9)
      #expect(prompt.seconds <= last)
      last = prompt.seconds
    }
  }
}
