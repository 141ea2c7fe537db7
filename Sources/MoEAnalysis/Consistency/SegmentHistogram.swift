/// How many of a segment's tokens activate an expert, over all segments and experts of a group:
/// all that segment routing best performance (SRP) depends on.
///
/// Histograms of groups are added before the best router is looked for ("Not All Models Suit
/// Expert Offloading", arXiv 2505.16056).
package struct SegmentHistogram: Sendable, Equatable {
  /// (activations): pairs of a segment and an expert with so many, from 0 to the segment length.
  package private(set) var counts: [Int]

  package init(segmentLength: Int) { counts = Array(repeating: 0, count: segmentLength + 1) }

  package init(counts: [Int]) {
    precondition(!counts.isEmpty)
    self.counts = counts
  }

  package var segmentLength: Int { counts.count - 1 }
  /// Pairs of a segment and an expert.
  package var decisionCount: Int { counts.reduce(0, +) }

  package static func + (left: SegmentHistogram, right: SegmentHistogram) -> SegmentHistogram {
    precondition(left.counts.count == right.counts.count)
    return SegmentHistogram(counts: zip(left.counts, right.counts).map { $0 + $1 })
  }

  mutating func add(_ segmentCount: Int, activations: Int) { counts[activations] += segmentCount }

  /// The best router that may only say, for each segment and expert, on for all of its tokens or
  /// off; nil where there are no segments.
  package var bestRouter: SegmentRouter? {
    guard decisionCount > 0 else { return nil }
    return counts.withBestRouter(total: counts.activationSum)
  }
}

/// A router that decides once per segment: it activates an expert for the whole of each segment in
/// which at least `threshold` tokens want it. Among all routers by segment the best is of this
/// form.
package struct SegmentRouter: Sendable, Equatable {
  /// F1 score against the model's own router: SRP, from 0 to 1.
  package var performance: Double
  /// Activations from which on a segment's expert is on, alpha; the least of those equally good.
  package var threshold: Int
  /// Activations of this router over those of the model's (rho hat); 0 where the model has none.
  package var relativeSize: Double
  /// Activations of the model over all it could have had, each segment counted.
  package var activationRate: Double
}

extension [Int] {
  /// Of a histogram by activations: all activations.
  var activationSum: Int {
    var sum = 0
    for index in indices { sum += index * self[index] }
    return sum
  }

  /// The best threshold of a histogram with so many activations.
  ///
  /// With N pairs at or above the threshold, S activations in them and A in all, the router has
  /// precision S / (m N) and recall S / A; their harmonic mean is 2 S / (m N + A).
  func withBestRouter(total: Int) -> SegmentRouter {
    let length = count - 1
    var best = SegmentRouter(
      performance: 0, threshold: 0, relativeSize: 0, activationRate: 0)
    var (pairCount, covered, bestPairCount) = (0, 0, 0)
    for threshold in indices.reversed() {
      pairCount += self[threshold]
      covered += threshold * self[threshold]
      let performance = 2 * Double(covered) / Double(Swift.max(length * pairCount + total, 1))
      // From above, so that the least of even thresholds stays.
      if performance >= best.performance {
        (best.performance, best.threshold, bestPairCount) = (performance, threshold, pairCount)
      }
    }
    if total > 0 { best.relativeSize = Double(length * bestPairCount) / Double(total) }
    best.activationRate = Double(total) / Double(Swift.max(length * pairCount, 1))
    return best
  }
}
