import MoEAnalysis
import MoECache
import MoECore
import MoETestSupport
import Testing

/// Steps with rows of several texts: how many experts they take, what they cost, and how many texts
/// are worth it.
@Suite struct ParallelModelTests {
  // MARK: The union of experts

  /// All ways in which rows can choose, each as probable as the others.
  @Test(arguments: [(4, 1, 3), (5, 2, 3), (6, 3, 2), (6, 2, 1), (3, 3, 4)])
  func evenChoiceIsTheMeanOfAllWaysToChoose(_ all: Int, _ taken: Int, _ rowCount: Int) {
    let ways = (0..<1 << all).filter { $0.nonzeroBitCount == taken }
    var unions = [0]
    for _ in 0..<rowCount { unions = unions.flatMap { union in ways.map { union | $0 } } }
    let mean = Double(unions.reduce(0) { $0 + $1.nonzeroBitCount }) / Double(unions.count)
    let found = RowUnion(expertCount: all, expertsPerToken: taken).expertCount(rowCount: rowCount)
    #expect(abs(found - mean) < 1e-9)
  }

  /// A trace of some tokens that take experts at random, all layers alike.
  private static func trace(tokenCount: Int, seed: UInt64) -> RoutingTrace {
    var random = SeededGenerator(seed: seed)
    let experts = (0..<2 * tokenCount).flatMap { _ in
      (0..<16 as Range<Int32>).shuffled(using: &random).prefix(2)
    }
    return RoutingTrace(layerCount: 2, expertsPerToken: 2, experts: experts)
  }

  @Test func aTraceGivesTheMeanOverItsPlaces() {
    let trace = Self.trace(tokenCount: 256, seed: 3)
    let union = RowUnion(trace)
    for rowCount in [1, 2, 4, 8] {
      let distance = 256 / rowCount
      var (sum, count) = (0, 0)
      for start in 0..<distance {
        for layer in 0..<2 {
          let rows = (0..<rowCount).flatMap {
            Array(trace.selection(token: start + $0 * distance, layer: layer))
          }
          sum += Set(rows).count
          count += 1
        }
      }
      let found = union.expertCount(rowCount: rowCount)
      #expect(abs(found - Double(sum) / Double(count)) < 1e-9, "\(rowCount) rows")
    }
    // Between measured counts, on straight lines.
    let six = (union.expertCount(rowCount: 4) + union.expertCount(rowCount: 8)) / 2
    #expect(abs(union.expertCount(rowCount: 6) - six) < 1e-9)
  }

  @Test func moreRowsTakeMoreExpertsUpToAll() {
    let unions = [
      RowUnion(expertCount: 16, expertsPerToken: 2), RowUnion(Self.trace(tokenCount: 300, seed: 1)),
      RowUnion(Self.trace(tokenCount: 20, seed: 2)),
    ]
    for union in unions {
      let counts = (1...256).map { union.expertCount(rowCount: $0) }
      #expect(abs(counts[0] - 2) < 1e-9)
      #expect(zip(counts, counts.dropFirst()).allSatisfy { $0 <= $1 + 1e-9 })
      #expect(counts[255] <= 16 && counts[255] > 15.9)
      // No step shares more than it has.
      #expect(counts.enumerated().allSatisfy { $1 <= Double(2 * ($0 + 1)) + 1e-9 })
    }
  }

  // MARK: What a step costs

  private static func curve(_ points: [(Double, Double)]) -> CostCurve {
    CostCurve(points.map { CostCurve.Point(tokenCount: $0.0, seconds: $0.1) })
  }

  /// A layer of round figures, as those of `PerformanceModelTests`.
  private static func costs(slots: Int = 4, isResident: Bool = false) -> RunCosts {
    let layer = RunCosts.Layer(
      dense: curve([(1, 10), (11, 20)]), expert: curve([(1, 4), (5, 8)]), denseByteCount: 100,
      expertByteCount: 50, sizeClass: 0, keyValueByteCount: 3)
    return RunCosts(
      layers: [layer], slotCounts: [slots], expertCount: 8, expertsPerToken: 2,
      isResident: isResident, chunkTokenCount: 10, attentionSecondsPerPosition: 0.5,
      chunkAttentionSecondsPerPosition: 0.25, output: curve([(1, 7), (2, 9)]),
      outputByteCount: 60, samplingSeconds: 1, forkSeconds: 0.5, memoryBytesPerSecond: 100,
      disk: RunCosts.Disk(latencySeconds: 1, bytesPerSecond: 10, computeSlowdown: 1.25))
  }

  private static func model(_ costs: RunCosts, hitRate: Double) -> PerformanceModel {
    PerformanceModel(
      costs: costs,
      routing: RoutingEstimate(
        hitRate: hitRate, expertsPerToken: costs.expertsPerToken, distinct: DistinctExperts([]),
        basis: .user, note: ""))
  }

  private static let union = RowUnion(expertCount: 8, expertsPerToken: 2)

  @Test func oneRowIsADecodedToken() {
    let model = Self.model(Self.costs(), hitRate: 0.4)
    #expect(
      model.decode(rowCount: 1, position: 6, union: Self.union, missShare: 0.1)
        == model.decode(position: 6))
  }

  @Test func rowsShareWhatIsResident() {
    let model = Self.model(Self.costs(isResident: true), hitRate: 1)
    let step = model.decode(rowCount: 2, position: 6, union: Self.union, missShare: 0)
    // Two rows of 2 of 8 take 3.5 experts: 8 - 8 · 0.75². Output 9, sampling 2 · 1, dense 11,
    // attention 2 · 3; an expert for 4 / 3.5 tokens 4 + 1 / 7.
    let experts = 3.5 * (4 + 1.0 / 7)
    #expect(abs(step.seconds - (9 + 2 + 11 + 6 + experts)) < 1e-9)
    #expect(step.computeSeconds == step.seconds && step.readByteCount == 0 && step.hitRate == 1)
    #expect(abs(step.memorySeconds - (60 + 100 + 3.5 * 50 + 2 * 6 * 3) / 100) < 1e-9)
    #expect(step.tokenCount == 2 && abs(step.tokensPerSecond - 2 / step.seconds) < 1e-12)
  }

  /// Every pattern of hits and misses by itself, of three experts and of four in equal parts.
  @Test(arguments: [0.1, 0.5, 0.93]) func theExpectationIsThatOfAllPatterns(_ missed: Double) {
    let model = Self.model(Self.costs(), hitRate: 0.5)
    let step = model.decode(rowCount: 2, position: 0, union: Self.union, missShare: missed)
    let expert = 4 + 1.0 / 7
    var (seconds, disk) = (0.0, 0.0)
    for count in [3, 4] {
      for pattern in 0..<1 << count {
        let misses = pattern.nonzeroBitCount
        var probability = 0.5
        for number in 0..<count { probability *= pattern >> number & 1 == 1 ? missed : 1 - missed }
        let reading = misses == 0 ? 0 : 1 + Double(misses) * 5
        disk += probability * reading
        seconds +=
          probability
          * (misses == 0
            ? 11 + 3.5 * expert : 11 + max(reading, 2.5 * expert + reading * 0.2) + expert + 1)
      }
    }
    #expect(abs(step.seconds - (11 + seconds)) < 1e-9)
    #expect(abs(step.diskSeconds - disk) < 1e-9)
    #expect(abs(step.readByteCount - 3.5 * missed * 50) < 1e-9)
    #expect(abs(step.hitRate - (1 - missed)) < 1e-9)
  }

  /// With the same pool and the same share of misses, no further text slows the others down by more
  /// than it gets.
  @Test(arguments: Fuzz.seeds(20000, iterationsPerRun: 100))
  func moreTextsAreNoSlowerTogetherFuzz(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    func cost() -> CostCurve {
      let one = Double.random(in: 0.1...10, using: &random)
      return Self.curve([(1, one), (64, one * Double.random(in: 1...64, using: &random))])
    }
    var costs = Self.costs(slots: Int.random(in: 2...7, using: &random))
    costs.layers[0].dense = cost()
    costs.layers[0].expert = cost()
    costs.output = cost()
    costs.disk.bytesPerSecond = Double.random(in: 1...1000, using: &random)
    costs.disk.latencySeconds = Double.random(in: 0...1, using: &random)
    let missed = Double.random(in: 0...1, using: &random)
    let model = Self.model(costs, hitRate: 1 - missed)
    let steps = [1, 2, 3, 4, 7, 8, 16, 31, 64].map {
      model.decode(
        rowCount: $0, position: Int.random(in: 0...0, using: &random), union: Self.union,
        missShare: missed)
    }
    for (less, more) in zip(steps, steps.dropFirst()) {
      #expect(
        more.tokensPerSecond >= less.tokensPerSecond * (1 - 1e-9),
        "seed \(seed), \(less.tokenCount) and \(more.tokenCount)")
      #expect(
        more.readByteCount / Double(more.tokenCount)
          <= less.readByteCount / Double(less.tokenCount) * (1 + 1e-9))
    }
    #expect(steps.allSatisfy { $0.seconds >= $0.overlappedSeconds * (1 - 1e-9) }, "seed \(seed)")
  }

  // MARK: How many are worth it

  @Test(arguments: Fuzz.seeds(30000, iterationsPerRun: 100))
  func theChoiceIsTheLeastThatIsNearTheBestFuzz(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var speeds: [(textCount: Int, tokensPerSecond: Double)] = []
    for step in 0..<Int.random(in: 1...8, using: &random) {
      speeds.append((1 << step, Double.random(in: 1...100, using: &random)))
    }
    let refused = Bool.random(using: &random) ? speeds.count * 100 : nil
    let choice = ParallelChoice(speeds, refusedTextCount: refused)
    let best = speeds.map(\.tokensPerSecond).max() ?? 0
    for speed in speeds where speed.textCount < choice.textCount {
      #expect(speed.tokensPerSecond < 0.95 * best, "seed \(seed)")
    }
    #expect(choice.tokensPerSecond >= 0.95 * best)
    let next = speeds.first { $0.textCount > choice.textCount }
    switch choice.reason {
    case .saturated(let count, let gain):
      #expect(count == next?.textCount)
      #expect(abs(choice.tokensPerSecond * (1 + gain) - (next?.tokensPerSecond ?? 0)) < 1e-9)
    case .memory(let count): #expect(next == nil && count == refused)
    case .demand: #expect(next == nil && refused == nil)
    }
  }
}
