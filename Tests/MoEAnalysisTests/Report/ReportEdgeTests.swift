import Foundation
import MoEAnalysis
import MoECache
import MoECore
import Testing

/// Reports of very small traces, of parts of large ones, and what else may be handed in.
@Suite struct ReportEdgeTests {
  /// Whole tokens only: a trace has no gaps.
  @Test func tracesAtTheEdgeOfWhatThereIsHaveAReportOrOneSentence() throws {
    for (name, routing) in try RoutingSamples.degenerate() where !routing.experts.contains(-1) {
      guard routing.tokenCount > 0 else {
        let trace = RoutingTrace(
          metadata: RoutingTraceMetadata(
            expertCount: 4, expertsPerToken: 2, layers: [0, 1]), experts: [], sequenceStarts: [0])
        let error = #expect(throws: RoutingAnalysisError.self) {
          try RoutingReport(trace, name: "nothing.moetrace")
        }
        #expect(error?.description.hasPrefix("nothing.moetrace has no tokens") == true)
        continue
      }
      let trace = try RoutingReportTests.trace(routing)
      let report = try RoutingReport(trace, name: name)
      #expect(report.source.tokens == routing.tokenCount, "\(name)")
      let figures = report.hitRates.lines.flatMap(\.hitRates)
      #expect(figures.allSatisfy { (0...1).contains($0) }, "\(name)")
      #expect(report.hitRates.slotsPerLayer.last == routing.expertCount, "\(name)")
      // JSON has no word for what is not a number, so there must be none.
      #expect(throws: Never.self) { try JSONEncoder().encode(report) }
    }
  }

  @Test(arguments: [1, 7, 60, 240, 1000]) func aSampleIsOfWholeTokensOfTheTrace(
    _ requestCountMax: Int
  ) throws {
    for seed in UInt64(1)...20 {
      var shape = RoutingSamples.Shape()
      (shape.tokenCount, shape.sequenceCount) = (60, 12)
      let routing = try RoutingSamples.random(seed: seed, shape)
      let sample = try routing.sampled(requestCountMax: requestCountMax)
      #expect(sample.tokenCount * 4 <= max(4, requestCountMax), "seed \(seed)")
      #expect(sample.tokenCount > 0 && sample.tokenCount <= routing.tokenCount, "seed \(seed)")
      if requestCountMax >= 240 { #expect(sample.experts == routing.experts, "seed \(seed)") }
      var next = 0
      for (tokens, label) in zip(sample.sequences, sample.labels) {
        // Each is the start of one of the trace's sequences, in their order.
        let found = (next..<routing.sequences.count).first { index in
          let whole = routing.sequences[index]
          return whole.count >= tokens.count && routing.labels[index] == label
            && sample.experts[tokens.lowerBound * 4..<tokens.upperBound * 4]
              == routing.experts[
                whole.lowerBound * 4..<(whole.lowerBound + tokens.count) * 4]
        }
        next = try #require(found, "seed \(seed)") + 1
      }
    }
  }

  @Test func aDiskAllowsWhatItsRateAndTheMissesSay() throws {
    let trace = try RoutingReportTests.trace(
      RoutingSamples.routing("0 1 0 1 2 3 0 1", expertCount: 4))
    let report = try RoutingReport(trace, name: "a")
    let speed = SpeedReport(report.hitRates, expertByteCount: 1000, diskRates: [1e6, 2e6])
    #expect(speed.basis == .diskBound && speed.rows.count == report.hitRates.slotsPerLayer.count)
    let policy = try #require(report.hitRates.defaultPolicy)
    for (index, row) in speed.rows.enumerated() {
      #expect(row.poolBytes == report.hitRates.slotsPerLayer[index] * 1000)
      guard !row.isResident else {
        #expect(row.tokensPerSecond == [nil, nil] && row.readBytesPerToken == 0)
        continue
      }
      let bytes = (1 - policy.hitRates[index]) * 1000
      #expect(row.readBytesPerToken == bytes)
      #expect(row.tokensPerSecond == [1e6 / bytes, 2e6 / bytes])
    }
  }

  private func costs(slots: Int) -> RunCosts {
    let curve = CostCurve([CostCurve.Point(tokenCount: 1, seconds: 0.001)])
    let layer = RunCosts.Layer(
      dense: curve, expert: curve, denseByteCount: 100, expertByteCount: 1000, sizeClass: 0,
      keyValueByteCount: 1)
    return RunCosts(
      layers: [layer, layer], slotCounts: [slots], expertCount: 7, expertsPerToken: 2,
      isResident: slots >= 14, chunkTokenCount: 8, attentionSecondsPerPosition: 0,
      chunkAttentionSecondsPerPosition: 0,
      output: CostCurve([CostCurve.Point(tokenCount: 1, seconds: 0.002)]),
      outputByteCount: 10, samplingSeconds: 0.001, forkSeconds: 0, memoryBytesPerSecond: 1e9,
      disk: RunCosts.Disk(latencySeconds: 0.0001, bytesPerSecond: 1e6, computeSlowdown: 1))
  }

  @Test func moreMemoryAndFasterDisksAreNoSlower() throws {
    var shape = RoutingSamples.Shape()
    shape.tokenCount = 200
    let trace = try RoutingReportTests.trace(RoutingSamples.random(seed: 5, shape))
    let settings = [4, 8, 12, 14].map {
      SpeedReport.Setting(
        memoryByteCount: 1000 * $0 + 5000, poolByteCount: 1000 * $0, slotCount: $0,
        expertCount: 14, costs: costs(slots: $0))
    }
    let speed = SpeedReport(
      settings, trace: trace, name: "a", policy: "lru", diskRates: [1e5, 1e8], position: 0,
      contextLength: 8, note: "")
    #expect(speed.disks.map(\.bytesPerSecond) == [1e6, 1e5, 1e8])
    #expect(speed.disks.map(\.isMeasured) == [true, false, false])
    for row in speed.rows {
      let rates = try row.tokensPerSecond.map { try #require($0) }
      #expect(rates[1] <= rates[0] && rates[0] <= rates[2])
      #expect(abs(row.readBytesPerToken - (1 - row.hitRate) * 4 * 1000) < 1e-6)
    }
    for (less, more) in zip(speed.rows, speed.rows.dropFirst()) {
      #expect(less.hitRate <= more.hitRate && less.poolShare < more.poolShare)
      // A read that computing hides costs nothing, but for the last bits of the sum.
      #expect(
        zip(less.tokensPerSecond, more.tokensPerSecond).allSatisfy {
          $0 ?? 0 <= ($1 ?? 0) * (1 + 1e-9)
        })
    }
    // Output 2 ms, sampling 1, twice: dense 1, experts 2.
    let last = try #require(speed.rows.last?.tokensPerSecond.first ?? nil)
    #expect(abs(last - 1 / 0.009) < 1e-6 && speed.rows.last?.isResident == true)
    #expect(speed.row(nearShare: 0.6)?.slots == 8)
  }

  @Test func nothingIsPredictedOfLayersOfFewBytes() throws {
    let trace = try RoutingReportTests.trace(RoutingSamples.random(seed: 5, .init()))
    func speed(layerByteCount: Int) -> SpeedReport {
      var costs = self.costs(slots: 4)
      for index in costs.layers.indices {
        costs.layers[index].denseByteCount =
          layerByteCount - costs.expertsPerToken * costs.layers[index].expertByteCount
      }
      return SpeedReport(
        [
          SpeedReport.Setting(
            memoryByteCount: 9000, poolByteCount: 4000, slotCount: 4, expertCount: 14,
            costs: costs)
        ], trace: trace, name: "a", policy: "lru", diskRates: [1e5], position: 0,
        contextLength: 8, note: "")
    }
    let enough = speed(layerByteCount: SpeedReport.layerByteCountMin)
    #expect(enough.predictionHolds && enough.shown == enough)
    let little = speed(layerByteCount: SpeedReport.layerByteCountMin - 1)
    #expect(!little.predictionHolds && little.rows[0].tokensPerSecond.count == 2)
    #expect(little.shown.disks.isEmpty && little.shown.rows[0].tokensPerSecond.isEmpty)
    #expect(little.shown.rows[0].hitRate == little.rows[0].hitRate)
  }

  @Test func aFrontierIsReadAsItWasWrittenAndRefusedInOneSentence() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "frontier.json")
    let point = GatingFrontier.Point(
      gating: "off", meanExpertCount: 4, perplexity: 9.5, readBytesPerToken: 1e5,
      tokensPerSecond: 100)
    let frontier = GatingFrontier(
      model: "a", texts: ["b"], scoredTokenCount: 7, memory: "25%", points: [point])
    let encoder = JSONEncoder()
    for strategy in [JSONEncoder.KeyEncodingStrategy.convertToSnakeCase, .useDefaultKeys] {
      encoder.keyEncodingStrategy = strategy
      try encoder.encode(frontier).write(to: file)
      #expect(try GatingFrontier(contentsOf: file.path) == frontier)
    }
    var (empty, bad) = (frontier, frontier)
    empty.points = []
    bad.points[0].perplexity = -1
    let written = try encoder.encode(frontier)
    for (data, problem) in [
      (Data(), "it is not a JSON object"), (Data("[1]".utf8), "it is not a JSON object"),
      (written.dropLast(9), "it is not a JSON object"),
      (try encoder.encode(empty), "it has 0 points"),
      (try encoder.encode(bad), "a figure of \"off\" is below 0"),
    ] {
      try data.write(to: file)
      let error = #expect(throws: RoutingAnalysisError.self) {
        try GatingFrontier(contentsOf: file.path)
      }
      let text = try #require(error?.description)
      #expect(text.hasPrefix(file.path) && text.contains(problem), "\(text)")
    }
    let missing = #expect(throws: RoutingAnalysisError.self) {
      try GatingFrontier(contentsOf: folder.appending(path: "none").path)
    }
    #expect(missing?.description.contains("No such file") == true)
  }
}
