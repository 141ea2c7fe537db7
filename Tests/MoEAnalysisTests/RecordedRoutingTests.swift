import MoEAnalysis
import MoECache
import MoETestSupport
import Testing

/// Recorded routing of trained models, against the figures published with the traces.
@Suite struct RecordedRoutingTests {
  private func rounded(_ value: Double?) -> Double? {
    value.map { ($0 * 1000).rounded() / 1000 }
  }

  /// One run through all of a trace unless said otherwise, as the published figures are of.
  private func routing(
    _ name: String, sequenceStarts: [Int] = [0]
  ) throws -> RoutingSequences {
    let file = try RoutingTraceFile(name)
    return try RoutingSequences(
      layerCount: file.layerCount, expertCount: file.expertCount,
      expertsPerToken: file.expertsPerToken, experts: file.trace.experts,
      sequenceStarts: sequenceStarts)
  }

  /// Per layer, two slots for each expert that a token takes: (trace, least recently used, optimum,
  /// overlap by popularity, entropy).
  @Test(arguments: [
    ("deepseek-v2-lite-chat-prompts", 0.396, 0.568, 0.098, 0.995),
    ("gemma-4-26b-a4b-chat", 0.518, 0.661, 0.252, 0.745),
    ("gpt-oss-20b-mmlu", 0.650, 0.774, 0.209, 0.903),
    ("mixtral-8x7b-humaneval", 0.623, 0.750, 0.270, 0.980),
    ("qwen3-30b-a3b-chat", 0.518, 0.667, 0.246, 0.743),
  ])
  func realTracesMeasureAsPublished(
    _ name: String, _ lru: Double, _ belady: Double, _ popularity: Double, _ entropy: Double
  ) throws {
    let routing = try routing("real/" + name)
    var conventions = ReplayConventions.engine
    conventions.order = .asRecorded
    let slots = 2 * routing.expertsPerToken
    #expect(
      rounded(try HitCurves(routing, rule: .lru, conventions: conventions).hitRate(slots: slots))
        == lru)
    #expect(
      rounded(try HitCurves(routing, rule: .belady, conventions: conventions).hitRate(slots: slots))
        == belady)
    let uses = ExpertUseCounts(routing)
    #expect(
      rounded(uses.independentOverlap(expertsPerToken: routing.expertsPerToken)) == popularity)
    #expect(rounded(uses.normalizedEntropy) == entropy)
  }

  /// (trace, least recently used, optimum, overlaps at 1, 2, 4 to 64 tokens, entropy)
  @Test(arguments: [
    ("c", 0.621, 0.752, [0.434, 0.386, 0.376, 0.382, 0.368, 0.367, 0.362], 0.810),
    ("chat", 0.484, 0.652, [0.325, 0.256, 0.251, 0.242, 0.235, 0.230, 0.201], 0.955),
    ("english", 0.486, 0.659, [0.333, 0.266, 0.266, 0.269, 0.261, 0.259, 0.255], 0.899),
    ("stories", 0.460, 0.637, [0.298, 0.230, 0.216, 0.217, 0.206, 0.208, 0.203], 0.922),
  ])
  func tracesOfTheSmallModelMeasureAsPublished(
    _ name: String, _ lru: Double, _ belady: Double, _ overlaps: [Double], _ entropy: Double
  ) throws {
    let routing = try routing(
      "nano-moe/" + name, sequenceStarts: Array(stride(from: 0, to: 4096, by: 512)))
    #expect(routing.sequences.count == 8)
    var conventions = ReplayConventions.engine
    conventions.order = .asRecorded
    #expect(
      rounded(try HitCurves(routing, rule: .lru, conventions: conventions).hitRate(slots: 8))
        == lru)
    #expect(
      rounded(try HitCurves(routing, rule: .belady, conventions: conventions).hitRate(slots: 8))
        == belady)
    for (lag, overlap) in zip([1, 2, 4, 8, 16, 32, 64], overlaps) {
      #expect(rounded(routing.overlap(lag: lag)) == overlap, "\(lag) tokens")
    }
    #expect(rounded(ExpertUseCounts(routing).normalizedEntropy) == entropy)
  }

  @Test func theOptimumIsThatOfReplay() throws {
    let file = try RoutingTraceFile("real/mixtral-8x7b-humaneval")
    let routing = try routing("real/mixtral-8x7b-humaneval")
    let curves = try HitCurves(routing, rule: .belady, conventions: .engine)
    for slots in 2...8 {
      let statistics = TraceStatistics(file.trace, capacity: slots)
      for layer in 0..<file.layerCount {
        #expect(
          curves.parts[layer].hitCount(slots: slots, coldMisses: .counted)
            == statistics.layers[layer].optimalHitCount)
      }
    }
  }

  /// The trace is of other prompts than the paper's, prefilled by a chat model: what it measures
  /// should be near what is published of the model, and is not the same.
  @Test func aRecordedModelIsNearItsPublishedFigures() throws {
    let routing = try routing("real/deepseek-v2-lite-chat-prompts")
    let published = try #require(
      PublishedConsistency.all.first { $0.model == "DeepSeek-V2-Lite" })
    for length in [4, 16, 64] {
      let found = try RoutingConsistency(routing, segmentLength: length, bootstrap: nil)
      let (measured, wanted) = (
        try #require(found.model).router.performance,
        try #require(published.performance(segmentLength: length))
      )
      #expect(abs(measured - wanted) < 0.08, "\(length) tokens: \(measured), not \(wanted)")
    }
  }
}
