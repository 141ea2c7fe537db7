import Foundation
import MoEAnalysis
import MoECore
import MoETestSupport
import Testing

@Suite struct TraceStatisticsTests {
  /// A row of a published table: the trace's name and its figures as they are printed.
  struct Row: Sendable, CustomTestStringConvertible {
    var name: String
    /// From the column after the name on.
    var cells: [String]
    var testDescription: String { name }
  }

  /// The tables of the README in a folder of traces whose first column is the trace, by heading.
  private static func rows(_ folder: String, heading: String) throws -> [Row] {
    let url = RoutingTraceFile.directory.appending(path: folder + "/README.md")
    guard FileManager.default.fileExists(atPath: url.path) else {
      // Skips, or fails where traces are required.
      _ = try RoutingTraceFile(folder + "/any")
      return []
    }
    let lines = try String(contentsOf: url, encoding: .utf8).split(separator: "\n")
    let start = try #require(lines.firstIndex { $0.hasPrefix("| trace |") && $0.contains(heading) })
    return lines[(start + 2)...].prefix { $0.hasPrefix("|") }.map { line in
      let cells = line.split(separator: "|").map {
        $0.trimmingCharacters(in: .whitespaces)
      }
      return Row(name: cells[0], cells: Array(cells.dropFirst()))
    }
  }

  private func text(_ value: Double) -> String { String(format: "%.3f", value) }

  /// What the script beside the traces computed, to its last digit.
  @Test(arguments: ["real", "nano-moe"]) func agreesWithThePublishedTables(
    _ folder: String
  ) throws {
    let rows = try Self.rows(folder, heading: "LRU hit")
    let overlaps = try Self.rows(folder, heading: "lag 64")
    #expect(rows.count == (folder == "real" ? 5 : 9) && rows.map(\.name) == overlaps.map(\.name))
    for (row, overlap) in zip(rows, overlaps) {
      let path = RoutingTraceFile.directory.appending(path: "\(folder)/\(row.name).npz").path
      let trace = try RoutingTrace(contentsOf: path)
      let statistics = TraceStatistics(trace)
      #expect(
        row.cells == [
          trace.metadata.model, "\(trace.tokenCount)", "\(trace.sequenceStarts.count)",
          "\(trace.layerCount)", "\(trace.expertCount)", "\(trace.expertsPerToken)",
          "\(statistics.capacity)", text(statistics.leastRecentHitRate),
          text(statistics.optimalHitRate), text(statistics.previousTokenReuse),
          text(statistics.popularityReuse), text(statistics.evenReuse), text(statistics.entropy),
        ], "\(row.name)")
      #expect(
        overlap.cells
          == [1, 2, 4, 8, 16, 32, 64].map { text(TraceStatistics.reuse(trace, lag: $0)) },
        "\(row.name)")
    }
  }

  /// One layer, two experts to a token, four in all, by hand.
  @Test func countsByHand() {
    let trace = RoutingTrace(
      layerCount: 1, expertsPerToken: 2, experts: [0, 1, 0, 2, 1, 3, 0, 1], sequenceStarts: [0, 2])
    let statistics = TraceStatistics(trace, capacity: 3)
    // 0 1 miss; 0 hits, 2 misses; 1 hits, 3 misses and drives out 0 or 2; then 1 hits, and 0 where
    // it was kept.
    #expect(statistics.layers[0].leastRecentHitCount == 3)
    #expect(statistics.layers[0].optimalHitCount == 4)
    #expect(statistics.layers[0].sharedCount == 2 && statistics.layers[0].comparedCount == 4)
    #expect(statistics.previousTokenReuse == 0.5)
    #expect(TraceStatistics.reuse(trace, lag: 2).isNaN)
    // Shares of the experts: 3/4, 3/4, 1/4, 1/4.
    #expect(abs(statistics.popularityReuse - (2 * 0.5625 + 2 * 0.0625) / 2) < 1e-12)
    let entropy = -2 * (0.375 * log2(0.375) + 0.125 * log2(0.125)) / 2
    #expect(abs(statistics.entropy - entropy) < 1e-12)
    #expect(statistics.evenReuse == 0.5)
  }

  /// A list in order of use, the most recent last.
  private func naiveHits(_ trace: RoutingTrace, layer: Int, capacity: Int) -> Int {
    var order: [Int32] = []
    var hitCount = 0
    for token in 0..<trace.tokenCount {
      let wanted = Array(trace.selection(token: token, layer: layer))
      hitCount += wanted.count { order.contains($0) }
      order = order.filter { !wanted.contains($0) } + wanted
      order = Array(order.suffix(capacity))
    }
    return hitCount
  }

  @Test func agreesWithPlainCachesOnRandomTraces() throws {
    for seed in 0..<200 as Range<UInt64> {
      let trace = randomTrace(seed: seed)
      for capacity in [trace.expertsPerToken, trace.expertsPerToken + 1, 2 * trace.expertsPerToken]
      {
        let statistics = TraceStatistics(trace, capacity: capacity)
        let best = try HitCurves(RoutingSequences(trace), rule: .belady, conventions: .engine)
        for layer in 0..<trace.layerCount {
          let figures = statistics.layers[layer]
          let naive = naiveHits(trace, layer: layer, capacity: capacity)
          let optimum = best.parts[layer].hitCount(slots: capacity, coldMisses: .counted)
          #expect(figures.leastRecentHitCount == naive, "seed \(seed)")
          #expect(figures.optimalHitCount == optimum, "seed \(seed)")
          #expect(figures.optimalHitCount >= figures.leastRecentHitCount, "seed \(seed)")
        }
      }
    }
  }

  @Test func theLeastTraceHasFiguresAsFarAsTheyExist() {
    let statistics = TraceStatistics(RoutingTrace(layerCount: 1, expertsPerToken: 1, experts: [0]))
    #expect(statistics.leastRecentHitRate == 0 && statistics.optimalHitRate == 0)
    #expect(statistics.previousTokenReuse.isNaN && statistics.entropy.isNaN)
    #expect(statistics.popularityReuse == 1 && statistics.evenReuse == 1)
  }
}
