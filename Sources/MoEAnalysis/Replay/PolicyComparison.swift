package import MoECache

/// What policies hit on a routing trace, in pools of several sizes, beside LRU and the optimum.
///
/// A pool holds `multiple` times the experts that one token uses in all layers. Hit rates are hits
/// over all requests, the first uses of experts included.
package struct PolicyComparison: Sendable {
  /// What one policy hits, by pool.
  package struct Row: Sendable {
    package let policy: String
    /// (multiple)
    package let hitRates: [Double]
  }

  package let name: String
  package let tokenCount: Int
  package let multiples: [Double]
  package let rows: [Row]
  /// (multiple): the optimum with each layer by itself in an even share of the slots, and with one
  /// pool for all layers.
  package let optimumInEvenShares: [Double]
  package let optimumInOnePool: [Double]
  /// (multiple): what LRU hits.
  package let leastRecentlyUsed: [Double]

  /// - Parameters:
  ///   - expertCount: Experts of each layer.
  ///   - policies: Rows of the comparison.
  ///   - floorShare: In place of what each policy has by default. LRU always has even shares.
  package init(
    _ trace: RoutingTrace, name: String, expertCount: Int, multiples: [Double],
    policies: [PolicyEntry], floorShare: Double? = nil
  ) throws(RoutingAnalysisError) {
    self.name = name
    tokenCount = trace.tokenCount
    self.multiples = multiples
    let layer = LayerGeometry(expertCount: expertCount, sizeClass: 0)
    let geometries = multiples.map { multiple in
      let perLayer = min(multiple * Double(trace.expertsPerToken), Double(expertCount))
      return CacheGeometry(
        layers: Array(repeating: layer, count: trace.layerCount),
        slotCounts: [Int(perLayer * Double(trace.layerCount))])
    }
    let requestCount = Double(max(1, trace.experts.count { $0 >= 0 }))
    func rates(_ policy: PolicyEntry, floorShare: Double?) -> [Double] {
      concurrently(geometries.count) {
        let replay = CacheReplay(
          trace, geometry: geometries[$0], policy: policy, floorShare: floorShare)
        return Double(replay.hitCount) / requestCount
      }
    }
    rows = policies.map { Row(policy: $0.name, hitRates: rates($0, floorShare: floorShare)) }
    leastRecentlyUsed =
      PolicyRegistry.entry(named: "lru").map { rates($0, floorShare: 1) } ?? []
    var optimum = OptimalReplay(trace)
    var (even, one): ([Double], [Double]) = ([], [])
    for geometry in geometries {
      even.append(Double(try optimum.inEvenShares(geometry).hitCount) / requestCount)
      one.append(Double(try optimum.inOnePool(geometry).hitCount) / requestCount)
    }
    (optimumInEvenShares, optimumInOnePool) = (even, one)
  }

  /// The part of what lies between LRU and the optimum, both in even shares, that a policy reaches;
  /// nil where nothing lies between. A pool that layers share can reach more than all of it.
  package func recoveredShare(_ row: Row, multiple index: Int) -> Double? {
    let gap = optimumInEvenShares[index] - leastRecentlyUsed[index]
    guard gap > 0 else { return nil }
    return (row.hitRates[index] - leastRecentlyUsed[index]) / gap
  }

  /// A Markdown table: hit rates in percent, and behind them the recovered share where it is known.
  package var markdown: String {
    var lines = ["| policy |" + multiples.map { " \(Self.plain($0)) |" }.joined()]
    lines.append("|---|" + String(repeating: "---:|", count: multiples.count))
    for row in rows {
      let cells = multiples.indices.map { index in
        let share = recoveredShare(row, multiple: index)
        return " \(Self.percent(row.hitRates[index]))"
          + (share.map { " (\(Self.whole($0)))" } ?? "") + " |"
      }
      lines.append("| \(row.policy) |" + cells.joined())
    }
    for (name, rates) in [
      ("optimum, even shares", optimumInEvenShares), ("optimum, one pool", optimumInOnePool),
    ] {
      lines.append("| \(name) |" + rates.map { " \(Self.percent($0)) |" }.joined())
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func percent(_ value: Double) -> String {
    let tenths = Int((value * 1000).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }

  private static func whole(_ value: Double) -> String { "\(Int((value * 100).rounded()))" }

  private static func plain(_ value: Double) -> String {
    value == value.rounded() ? "\(Int(value))" : "\(value)"
  }
}
