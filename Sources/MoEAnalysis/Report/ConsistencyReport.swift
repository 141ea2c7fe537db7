/// Segment routing best performance (SRP) by segment length, beside that of published models
/// (arXiv 2505.16056, section 3 and its tables).
package struct ConsistencyReport: Sendable, Equatable, Encodable {
  package struct Point: Sendable, Equatable, Encodable {
    /// Tokens of a segment.
    package var segmentLength: Int
    package var performance: ReportEstimate
    /// Experts of the best segment router over those of the model's own (rho hat).
    package var relativeSize: Double
    /// Sequences that are long enough.
    package var sequences: Int
    /// (layer)
    package var layers: [Double]
    /// The least and the largest of the published decoders; nil where they were not published.
    package var publishedLeast: Double?
    package var publishedMost: Double?
  }

  /// A published model.
  package struct Reference: Sendable, Equatable, Encodable {
    package var model: String
    /// (segment length as in `segmentLengths`)
    package var performances: [Double]
  }

  /// Ascending; lengths for which no sequence is long enough are left out.
  package let points: [Point]
  package let segmentLengths = PublishedConsistency.segmentLengths
  /// Models that people know, as landmarks.
  package let references: [Reference]
  /// The published decoder whose SRP of 16 tokens is nearest; nil where there is no such segment.
  package let nearest: String?
  /// Published decoders whose SRP of 16 tokens is lower, and of how many.
  package let lowerCount: Int?
  package let comparedCount: Int
  /// Drawings behind an interval.
  package let resamples: Int

  private static let landmarks = ["Qwen3", "OLMoE", "Mixtral-8x7B", "DeepSeek-V2-Lite", "OpenMoE"]
  /// Steps that the drawings of one report may take, in additions.
  private static let additionCountMax = 1.5e9

  init(_ routing: RoutingSequences, bootstrap: Bootstrap) throws(RoutingAnalysisError) {
    let longest = routing.sequences.map(\.count).max() ?? 0
    let lengths = doublings(from: 2, through: min(longest, 256))
    let additions = lengths.reduce(0.0) {
      $0 + Double($1 + 1) * Double(routing.sequences.count * routing.layerCount)
    }
    var bootstrap = bootstrap
    bootstrap.resampleCount = min(
      bootstrap.resampleCount, max(100, Int(Self.additionCountMax / max(additions, 1))))
    resamples = bootstrap.resampleCount
    var points: [Point] = []
    for length in lengths {
      let measured = try RoutingConsistency(
        routing, segmentLength: length, bootstrap: bootstrap)
      guard let model = measured.model else { continue }
      let band = PublishedConsistency.band(segmentLength: length)
      points.append(
        Point(
          segmentLength: length,
          performance: ReportEstimate(model.router.performance, model.interval),
          relativeSize: model.router.relativeSize, sequences: measured.sequenceCount,
          layers: measured.layers.map(\.router.performance),
          publishedLeast: band?.lowerBound, publishedMost: band?.upperBound))
    }
    self.points = points
    let decoders = PublishedConsistency.all.filter { $0.stack == .decoder }
    comparedCount = decoders.count
    references = decoders.filter { Self.landmarks.contains($0.model) }.map {
      Reference(model: $0.model, performances: $0.performances.compactMap(\.self))
    }
    let own = points.first { $0.segmentLength == 16 }?.performance.value
    let published = decoders.compactMap { model in
      model.performance(segmentLength: 16).map { (model.model, $0) }
    }
    nearest = own.flatMap { own in
      published.min { abs($0.1 - own) < abs($1.1 - own) }?.0
    }
    lowerCount = own.map { own in published.count { $0.1 < own } }
  }
}
