/// Segment cache best hit rate (SCH) by pool size and look-ahead, with least recently used and the
/// optimum beside it, and the published band (arXiv 2505.16056, versions from 3 on).
///
/// Counted as the paper's code of December 2025 does: one pool for the model, a token's experts of
/// all layers looked up together, emptied after each sequence, first uses credited while there is
/// room; means over sequences.
package struct SegmentCacheReport: Sendable, Equatable, Encodable {
  package struct Line: Sendable, Equatable, Encodable {
    /// "segment-16", "lru", "belady".
    package var rule: String
    /// Tokens of look-ahead; nil for rules that have none.
    package var segmentLength: Int?
    /// (pool as in `ratios`)
    package var hitRates: [ReportEstimate]
  }

  /// What published decoders reach with a look-ahead of 16 tokens.
  package struct Band: Sendable, Equatable, Encodable {
    package var ratio: Int
    package var least: Double
    package var most: Double
  }

  /// Slots over what one token's experts take in all layers (rho), ascending.
  package let ratios: [Double]
  /// (pool as in `ratios`)
  package let slots: [Int]
  /// None where the model has more experts than one pool is replayed with.
  package let lines: [Line]
  package let published: [Band]
  package let sampledTokens: Int

  package static let segmentLengths = [4, 16, 64]
  private static let ratioChoices = [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16]

  init(_ routing: RoutingSequences, bootstrap: Bootstrap) throws(RoutingAnalysisError) {
    let expertCount = routing.expertCount * routing.layerCount
    let full = Double(routing.expertCount) / Double(routing.expertsPerToken)
    let ratios = Self.ratioChoices.filter { $0 < full } + (full <= 32 ? [full] : [])
    sampledTokens = routing.tokenCount
    let perToken = routing.expertsPerToken * routing.layerCount
    // Small pools may round to the same number of slots, or to none.
    var (kept, slots): ([Double], [Int]) = ([], [])
    for ratio in ratios {
      let count = Int((ratio * Double(perToken)).rounded())
      guard count > (slots.last ?? 0) else { continue }
      kept.append(ratio)
      slots.append(count)
    }
    self.ratios = kept
    self.slots = slots
    func line(_ curves: HitCurves, _ rule: String, _ length: Int?) -> Line {
      Line(
        rule: rule, segmentLength: length,
        hitRates: slots.compactMap {
          curves.meanHitRate(slots: $0, bootstrap: bootstrap).map(ReportEstimate.init)
        })
    }
    var lines: [Line] = []
    let isReplayed = expertCount <= HitCurves.poolExpertCountMax
    for length in isReplayed ? Self.segmentLengths : [] {
      let curves = try SegmentCaching.december.curves(routing, segmentLength: length)
      lines.append(line(curves, StackRule.segment(length: length).name, length))
    }
    for rule in isReplayed ? [StackRule.lru, .belady] : [] {
      let curves = try HitCurves(routing, rule: rule, conventions: .december)
      lines.append(line(curves, rule.name, nil))
    }
    self.lines = lines
    let decoders = PublishedConsistency.all.filter { $0.stack == .decoder }
    published = PublishedConsistency.poolRatios.enumerated().compactMap { index, ratio in
      let rates = decoders.map { $0.segmentCache[index] }
      guard let least = rates.min(), let most = rates.max() else { return nil }
      return Band(ratio: ratio, least: least, most: most)
    }
  }
}
