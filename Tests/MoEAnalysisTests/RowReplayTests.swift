import MoEAnalysis
import MoECache
import MoECore
import MoETestSupport
import Testing

/// Hit rates of steps with rows of several texts: replayed, and assumed.
@Suite struct RowReplayTests {
  private static func costs(_ trace: RoutingTrace, slotsPerLayer: Int) -> RunCosts {
    let layer = RunCosts.Layer(
      dense: .zero, expert: .zero, denseByteCount: 0, expertByteCount: 1, sizeClass: 0,
      keyValueByteCount: 0)
    return RunCosts(
      layers: Array(repeating: layer, count: trace.layerCount),
      slotCounts: [slotsPerLayer * trace.layerCount], expertCount: trace.expertCount,
      expertsPerToken: trace.expertsPerToken, isResident: false, chunkTokenCount: 1,
      attentionSecondsPerPosition: 0, chunkAttentionSecondsPerPosition: 0, output: .zero,
      outputByteCount: 0, samplingSeconds: 0, forkSeconds: 0, memoryBytesPerSecond: 1,
      disk: RunCosts.Disk(latencySeconds: 0, bytesPerSecond: 1, computeSlowdown: 1))
  }

  private static func rate(
    _ trace: RoutingTrace, rowCount: Int, slotsPerLayer: Int, policy: String = "learned"
  ) -> Double? {
    RowReplay(
      trace, rowCount: rowCount, costs: costs(trace, slotsPerLayer: slotsPerLayer), policy: policy
    )?.hitRate
  }

  /// All rows take the same two experts in turn with two others.
  @Test func rowsThatAgreeNeedWhatOneNeeds() throws {
    var experts: [Int32] = []
    for token in 0..<200 as Range<Int32> { experts += [token % 2 * 2, token % 2 * 2 + 1] }
    let trace = RoutingTrace(layerCount: 1, expertsPerToken: 2, experts: experts)
    for rowCount in [1, 2, 4] {
      #expect(Self.rate(trace, rowCount: rowCount, slotsPerLayer: 4) == 1)
      #expect(Self.rate(trace, rowCount: rowCount, slotsPerLayer: 2, policy: "lru") == 0)
    }
    // Six places of 33 tokens; of seven there are less than 32.
    #expect(Self.rate(trace, rowCount: 6, slotsPerLayer: 4) != nil)
    #expect(Self.rate(trace, rowCount: 7, slotsPerLayer: 4) == nil)
  }

  /// A naive cache of least recent use, whose steps take hits first and then miss in order.
  @Test(arguments: [2, 3]) func agreesWithANaiveCacheWhereAllOfAStepFits(_ rowCount: Int) throws {
    var random = SeededGenerator(seed: 11)
    let experts = (0..<600).flatMap { _ in
      (0..<24 as Range<Int32>).shuffled(using: &random).prefix(2)
    }
    let trace = RoutingTrace(layerCount: 1, expertsPerToken: 2, experts: experts)
    let distance = 600 / rowCount
    var times: [Int32: Int] = [:]
    var (hits, requests) = (0, 0)
    for step in 0..<distance {
      var wanted: Set<Int32> = []
      for row in 0..<rowCount {
        wanted.formUnion(trace.selection(token: step + row * distance, layer: 0))
      }
      let found = wanted.filter { times[$0] != nil }
      if step >= distance / 2 {
        hits += found.count
        requests += wanted.count
      }
      for expert in wanted { times[expert] = step }
      while times.count > 12 {
        let victim = times.filter { !wanted.contains($0.key) }.min {
          ($0.value, $0.key) < ($1.value, $1.key)
        }
        times[try #require(victim).key] = nil
      }
    }
    let rate = try #require(
      Self.rate(trace, rowCount: rowCount, slotsPerLayer: 12, policy: "lru"))
    // Experts of one step were used at the same time: who of them goes first is the cache's choice.
    #expect(abs(rate - Double(hits) / Double(requests)) < 0.02)
  }

  static let names = [
    "real/deepseek-v2-lite-chat-prompts", "real/gpt-oss-20b-mmlu", "real/mixtral-8x7b-humaneval",
    "real/qwen3-30b-a3b-chat", "nano-moe/chat",
  ]

  /// What is assumed without a trace, from the hit rate of one row.
  @Test func whatIsAssumedIsNearWhatIsReplayed() throws {
    var (sum, count) = (0.0, 0)
    for name in Self.names {
      let trace = try RoutingTraceFile(name).trace
      let union = RowUnion(trace)
      for quarter in 1...3 {
        let slots = quarter * trace.expertCount / 4
        let alone = try #require(Self.rate(trace, rowCount: 1, slotsPerLayer: slots))
        let estimate = RoutingEstimate(
          hitRate: alone, expertsPerToken: trace.expertsPerToken, distinct: DistinctExperts([]),
          basis: .user, note: "")
        for rowCount in [2, 4, 8, 16, 32] {
          guard let replayed = Self.rate(trace, rowCount: rowCount, slotsPerLayer: slots) else {
            continue
          }
          let assumed = estimate.hitRate(
            expertCount: union.expertCount(rowCount: rowCount),
            in: Self.costs(trace, slotsPerLayer: slots))
          #expect(abs(assumed - replayed) < 0.17, "\(name), \(rowCount) rows, \(quarter)/4")
          sum += abs(assumed - replayed)
          count += 1
        }
      }
    }
    #expect(count > 40 && sum / Double(count) < 0.06, "\(sum / Double(count))")
  }

  /// More rows never hit more, in any pool.
  @Test(arguments: Fuzz.seeds(10000, iterationsPerRun: 100))
  func assumedRatesFallWithTheUnionFuzz(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let trace = RoutingTrace(
      layerCount: 1, expertsPerToken: 2, experts: (0..<64).map { Int32($0 % 32) })
    let estimate = RoutingEstimate(
      hitRate: Double.random(in: 0...1, using: &random), expertsPerToken: 2,
      distinct: DistinctExperts([]), basis: .user, note: "")
    let costs = Self.costs(trace, slotsPerLayer: Int.random(in: 1...32, using: &random))
    let rates = (2...32).map { estimate.hitRate(expertCount: Double($0), in: costs) }
    #expect(abs(rates[0] - estimate.hitRate) < 1e-12)
    #expect(zip(rates, rates.dropFirst()).allSatisfy { $0 >= $1 - 1e-12 }, "seed \(seed)")
    #expect(rates.allSatisfy { $0 >= 0 && $0 <= 1 })
  }
}
