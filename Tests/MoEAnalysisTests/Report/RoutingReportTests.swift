import Foundation
import MoEAnalysis
import MoECache
import MoECore
import Testing

/// A report's figures against the same counted anew, in the plainest way.
@Suite struct RoutingReportTests {
  private static let seed: UInt64 = 20_261_124
  private let trace: RoutingTrace
  private let routing: RoutingSequences
  private let report: RoutingReport

  init() throws {
    var shape = RoutingSamples.Shape()
    (shape.tokenCount, shape.layerCount, shape.expertCount) = (90, 3, 8)
    let drawn = try RoutingSamples.random(seed: Self.seed, shape)
    trace = try Self.trace(drawn)
    routing = try RoutingSequences(trace)
    var limits = RoutingReport.Limits()
    limits.bootstrap.resampleCount = 200
    report = try RoutingReport(trace, name: "drawn by seed \(Self.seed)", limits: limits)
  }

  /// A trace of the same routing, its empty sequences left out.
  static func trace(_ routing: RoutingSequences) throws -> RoutingTrace {
    var metadata = RoutingTraceMetadata(
      expertCount: routing.expertCount, expertsPerToken: routing.expertsPerToken,
      layers: Array(0..<routing.layerCount))
    metadata.model = "drawn"
    var trace = RoutingTrace(
      metadata: metadata, experts: routing.experts,
      sequenceStarts: routing.sequences.map(\.lowerBound))
    trace.labels = routing.labels
    return trace
  }

  private func selection(_ token: Int, _ layer: Int) -> Set<Int32> {
    Set(routing.selection(token: token, layer: layer))
  }

  @Test func saysWhatItIsOf() {
    #expect(report.source.tokens == 90 && report.source.experts == 8)
    #expect(report.source.layers == [0, 1, 2] && report.source.expertsPerToken == 2)
    #expect(report.source.sequences == routing.sequences.count && report.source.model == "drawn")
    #expect(report.hitRates.sampledTokens == 90 && report.prediction.sampledTokens == 90)
  }

  /// The best of all thresholds, by counting every segment anew.
  @Test func consistencyIsThatOfTheBestThreshold() throws {
    let longest = try #require(routing.sequences.map(\.count).max())
    #expect(
      report.consistency.points.map(\.segmentLength)
        == [2, 4, 8, 16, 32, 64].filter {
          $0 <= longest
        })
    for point in report.consistency.points {
      let length = point.segmentLength
      var counts: [Int] = []
      for tokens in routing.sequences where tokens.count >= length {
        for start in tokens.lowerBound...tokens.upperBound - length {
          for layer in 0..<3 {
            for expert in 0..<Int32(8) {
              counts.append(
                (start..<start + length).count { selection($0, layer).contains(expert) })
            }
          }
        }
      }
      let total = counts.reduce(0, +)
      let scores = (0...length).map { threshold in
        let on = counts.filter { $0 >= threshold }
        return 2 * Double(on.reduce(0, +)) / Double(length * on.count + total)
      }
      let best = try #require(scores.max())
      #expect(abs(point.performance.value - best) < 1e-12)
      #expect(point.sequences == routing.sequences.count { $0.count >= length })
      #expect(point.layers.count == 3)
      #expect((point.publishedLeast == nil) == ![4, 16, 64, 256].contains(length))
    }
    let own = try #require(report.consistency.points.first { $0.segmentLength == 16 })
    let decoders = PublishedConsistency.all.filter { $0.stack == .decoder }
    #expect(
      report.consistency.lowerCount
        == decoders.count { ($0.performances[1] ?? 1) < own.performance.value })
    #expect(report.consistency.comparedCount == 20)
  }

  @Test func hitRatesAreThoseOfNaiveReplays() throws {
    let rates = report.hitRates
    #expect(rates.slotsPerLayer == [1, 2, 3, 4, 5, 6, 7, 8])
    #expect(
      rates.lines.map(\.name)
        == PolicyRegistry.all.map(\.name) + ["optimum", "16 tokens ahead", "pinned"])
    #expect(rates.lines.filter(\.isDefault).map(\.name) == [PolicyRegistry.defaultEntry.name])
    func naive(_ rule: StackRule, _ slots: Int) -> Double {
      let runs = (0..<3).map {
        NaiveReplay(
          routing, layers: $0..<$0 + 1, slots: slots, rule: rule, conventions: .engine)
      }
      return Double(runs.reduce(0) { $0 + $1.hitCount })
        / Double(runs.reduce(0) { $0 + $1.requestCount })
    }
    func line(_ name: String) throws -> HitRateReport.Line {
      try #require(rates.lines.first { $0.name == name })
    }
    // The cache itself reads what it has no slot for past the pool: from a token's experts on.
    for (index, slots) in rates.slotsPerLayer.enumerated() where slots >= 2 {
      #expect(try abs(line("lru").hitRates[index] - naive(.lru, slots)) < 1e-12)
      #expect(try abs(line("optimum").hitRates[index] - naive(.belady, slots)) < 1e-12)
      let ahead = naive(.segment(length: 16), slots)
      #expect(try abs(line("16 tokens ahead").hitRates[index] - ahead) < 1e-12)
      for other in rates.lines where other.kind != .pinned {
        #expect(try other.hitRates[index] <= line("optimum").hitRates[index] + 1e-12)
      }
    }
    let pinned = try line("pinned")
    for (index, slots) in rates.slotsPerLayer.enumerated() {
      let covered = (0..<3).reduce(0) { sum, layer in
        let uses = (0..<Int32(8)).map { expert in
          (0..<90).count { selection($0, layer).contains(expert) }
        }
        return sum + uses.sorted(by: >).prefix(slots).reduce(0, +)
      }
      #expect(abs(pinned.hitRates[index] - Double(covered) / 540) < 1e-12)
    }
    let firstUses = (0..<3).reduce(0) { sum, layer in
      sum + (0..<90).reduce(into: Set<Int32>()) { $0.formUnion(selection($1, layer)) }.count
    }
    #expect(abs(rates.compulsoryMissShare - Double(firstUses) / 540) < 1e-12)
  }

  @Test func hitRatesBetweenTheSizesLieOnStraightLines() throws {
    let rates = report.hitRates
    let line = try #require(rates.optimum)
    #expect(rates.hitRate(line, share: 0.5) == line.hitRates[3])
    let middle = (line.hitRates[3] + line.hitRates[4]) / 2
    #expect(abs(rates.hitRate(line, share: 4.5 / 8) - middle) < 1e-12)
    #expect(rates.hitRate(line, share: 0) == 0 && rates.hitRate(line, share: 2) == line.hitRates[7])
  }

  @Test func useIsCountedByTextAndLayer() throws {
    #expect(report.use.domains.map(\.label) == routing.distinctLabels)
    for domain in report.use.domains {
      let tokens = zip(routing.sequences, routing.labels).filter { $0.1 == domain.label }
        .flatMap { Array($0.0) }
      #expect(domain.tokens == tokens.count)
      for layer in 0..<3 {
        for expert in 0..<8 {
          let uses = tokens.count { selection($0, layer).contains(Int32(expert)) }
          let share = Double(uses) / Double(2 * tokens.count)
          #expect(abs(domain.shares[layer][expert] - share) <= 0.5e-5 + 1e-12)
        }
      }
    }
    let shared = report.use.sharedUse
    #expect(shared.indices.allSatisfy { abs(shared[$0][$0] - 1) < 1e-12 })
    #expect(report.use.omittedCount == 0 && report.use.hotExperts.allSatisfy { $0 <= 8 })
  }

  @Test func reuseIsCountedTokenByToken() throws {
    var (distances, firstCount): ([Int], Int) = ([], 0)
    for tokens in routing.sequences {
      for token in tokens {
        for layer in 0..<3 {
          for expert in selection(token, layer) {
            let before = (tokens.lowerBound..<token).last { selection($0, layer).contains(expert) }
            if let before { distances.append(token - before) } else { firstCount += 1 }
          }
        }
      }
    }
    var first = 1
    for bucket in report.reuse.buckets {
      let count = distances.count { (first...bucket.last).contains($0) }
      #expect(bucket.count == count && abs(bucket.share - Double(count) / 540) < 1e-12)
      first = bucket.last + 1
    }
    #expect(report.reuse.buckets.reduce(0) { $0 + $1.count } == distances.count)
    #expect(abs(report.reuse.firstUseShare - Double(firstCount) / 540) < 1e-12)
    for overlap in report.reuse.overlaps {
      var (shared, compared) = (0, 0)
      for tokens in routing.sequences {
        for token in tokens.dropFirst(overlap.lag) {
          for layer in 0..<3 {
            shared +=
              selection(token, layer).intersection(selection(token - overlap.lag, layer))
              .count
            compared += 2
          }
        }
      }
      #expect(abs(overlap.share - Double(shared) / Double(compared)) < 1e-12)
    }
  }

  /// The most used experts of the layer so far, lower numbers first among equals.
  @Test func predictionByPopularityIsCountedAnew() throws {
    let line = try #require(report.prediction.lines.first { $0.predictor == .popularity })
    var found = [Int](repeating: 0, count: 9)
    var wanted = 0
    for layer in 1..<3 {
      for token in 0..<90 {
        let uses = (0..<Int32(8)).map { expert in
          (0..<token).count { selection($0, layer).contains(expert) }
        }
        let order = (0..<8).sorted { (uses[$1], $0) < (uses[$0], $1) }
        wanted += 2
        for count in 1...8 {
          found[count] += order.prefix(count).count { selection(token, layer).contains(Int32($0)) }
        }
      }
    }
    for (index, count) in report.prediction.counts.enumerated() {
      #expect(abs(line.recalls[index] - Double(found[count]) / Double(wanted)) < 1e-12)
    }
    #expect(report.prediction.lines.map(\.layerDistance) == [1, 2, 1, 1])
  }

  @Test func promptsAreCountedChunkByChunk() throws {
    #expect(report.prompt.chunks.first?.share == 2.0 / 8)
    for chunk in report.prompt.chunks {
      var (distinct, count) = (0, 0)
      for tokens in routing.sequences {
        for start in stride(
          from: tokens.lowerBound, through: tokens.upperBound - chunk.tokens, by: chunk.tokens)
        {
          for layer in 0..<3 {
            distinct +=
              (start..<start + chunk.tokens).reduce(into: Set<Int32>()) {
                $0.formUnion(selection($1, layer))
              }.count
            count += 1
          }
        }
      }
      #expect(abs(chunk.share - Double(distinct) / Double(8 * count)) < 1e-12)
    }
  }

  @Test func segmentCachingIsThatOfThePaperAndNeverFallsAsPoolsGrow() throws {
    let caching = report.segmentCaching
    #expect(caching.ratios.last == 4 && caching.slots.last == 24)
    #expect(
      caching.lines.map(\.rule) == ["segment-4", "segment-16", "segment-64", "lru", "belady"])
    for line in caching.lines {
      #expect(zip(line.hitRates, line.hitRates.dropFirst()).allSatisfy { $0.value <= $1.value })
      #expect(line.hitRates.last?.value == 1)
    }
    let line = try #require(caching.lines.first { $0.rule == "lru" })
    for (index, slots) in caching.slots.enumerated() {
      var sum = 0.0
      for tokens in routing.sequences {
        let one = try RoutingSequences(
          layerCount: 3, expertCount: 8, expertsPerToken: 2,
          experts: Array(routing.experts[tokens.lowerBound * 6..<tokens.upperBound * 6]))
        let run = NaiveReplay(
          one, layers: 0..<3, slots: slots, rule: .lru, conventions: .december)
        sum += Double(run.hitCount) / Double(run.requestCount)
      }
      let mean = sum / Double(routing.sequences.count)
      #expect(abs(line.hitRates[index].value - mean) < 1e-12)
    }
    #expect(caching.published.map(\.ratio) == [1, 2, 3])
  }
}
