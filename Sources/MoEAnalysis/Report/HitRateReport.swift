import MoECache

/// Hit rates by memory of every policy that the engine has, and of what bounds them.
///
/// Counted as the engine does: slots by layer, kept from sequence to sequence, first uses missed.
package struct HitRateReport: Sendable, Equatable, Encodable {
  package enum Kind: String, Sendable, Encodable {
    /// A policy that the engine can run.
    case policy
    /// What is used furthest in the future is evicted (Belady 1966): no policy does better.
    case optimum
    /// Evicts what is used least in the next 16 tokens: what seeing so far ahead would give.
    case lookAhead
    /// The most used experts of the whole trace, never changed.
    case pinned
  }

  package struct Line: Sendable, Equatable, Encodable {
    package var name: String
    package var kind: Kind
    package var summary: String
    /// What the engine uses where nothing is asked for.
    package var isDefault: Bool
    /// (slots as in `slotsPerLayer`)
    package var hitRates: [Double]
  }

  /// Slots of each layer, ascending; the last holds all experts.
  package let slotsPerLayer: [Int]
  package let expertsPerLayer: Int
  package let layers: Int
  package let expertsPerToken: Int
  /// Policies as registered, then the bounds.
  package let lines: [Line]
  package let sampledTokens: Int
  /// First uses of an expert, which no pool that starts empty avoids, over requests.
  package let compulsoryMissShare: Double

  package static let lookAheadLength = 16

  init(
    _ routing: RoutingSequences, policies: [PolicyEntry]
  ) throws(RoutingAnalysisError) {
    let slots = Self.slotChoices(
      expertCount: routing.expertCount, expertsPerToken: routing.expertsPerToken)
    slotsPerLayer = slots
    expertsPerLayer = routing.expertCount
    layers = routing.layerCount
    expertsPerToken = routing.expertsPerToken
    sampledTokens = routing.tokenCount
    let misses = CompulsoryMisses(routing)
    compulsoryMissShare =
      misses.requestCount > 0 ? Double(misses.continued) / Double(misses.requestCount) : 0
    var lines = policies.map { entry in
      let replay = PolicyReplay(
        routing, policy: entry, slotCounts: slots, conventions: .engine)
      return Line(
        name: entry.name, kind: .policy, summary: entry.summary,
        isDefault: entry.name == PolicyRegistry.defaultEntry.name,
        hitRates: replay.points.map { $0.hitRate(.counted) ?? 0 })
    }
    func bound(_ curves: HitCurves, _ name: String, _ kind: Kind, _ summary: String) {
      let total = curves.total
      lines.append(
        Line(
          name: name, kind: kind, summary: summary, isDefault: false,
          hitRates: slots.map { total.hitRate(slots: $0, coldMisses: .counted) ?? 0 }))
    }
    bound(
      try HitCurves(routing, rule: .belady, conventions: .engine), "optimum", .optimum,
      "Evicts what is used furthest in the future: no policy does better.")
    bound(
      try SegmentCaching.guarded.curves(
        routing, segmentLength: Self.lookAheadLength, conventions: .engine),
      "16 tokens ahead", .lookAhead, "Evicts what is used least in the next 16 tokens.")
    bound(
      try HitCurves(pinning: routing, scope: .layer), "pinned", .pinned,
      "The most used experts of the whole trace, never changed.")
    self.lines = lines
  }

  /// At most a dozen sizes: parts of a layer's experts, and one and two times those of a token.
  static func slotChoices(expertCount: Int, expertsPerToken: Int) -> [Int] {
    let parts = [1.0 / 32, 1.0 / 16, 1.0 / 8, 3.0 / 16, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1]
    let counts = parts.map { Int(($0 * Double(expertCount)).rounded()) }
    let all = counts + [expertsPerToken, min(2 * expertsPerToken, expertCount)]
    return Set(all).filter { $0 >= 1 && $0 <= expertCount }.sorted()
  }

  package var optimum: Line? { lines.first { $0.kind == .optimum } }
  package var defaultPolicy: Line? { lines.first(where: \.isDefault) ?? lines.first }

  /// A line's hit rate at a share of the experts, straight lines between the sizes looked at.
  package func hitRate(_ line: Line, share: Double) -> Double {
    let wanted = share * Double(expertsPerLayer)
    var (slots, rate) = (0.0, 0.0)
    for (next, nextRate) in zip(slotsPerLayer, line.hitRates) {
      if Double(next) >= wanted {
        let part = Double(next) > slots ? (wanted - slots) / (Double(next) - slots) : 1
        return rate + part * (nextRate - rate)
      }
      (slots, rate) = (Double(next), nextRate)
    }
    return rate
  }
}
