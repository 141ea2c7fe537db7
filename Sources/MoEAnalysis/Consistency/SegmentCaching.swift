/// Segment cache best hit rate (SCH) of "Not All Models Suit Expert Offloading" (arXiv 2505.16056).
/// The paper has changed what it means by it; results of the two are not interchangeable.
package enum SegmentCaching: String, Sendable, CaseIterable, Encodable {
  /// Versions 1 and 2 of the paper (May 2025) and the code of October 2025: of each overlapping
  /// segment, what share of its activations its most used experts make up. Nothing is replayed.
  case october
  /// From version 3 on (ICLR 2026) and in the code of December 2025: a replay that evicts the
  /// expert least used in the next tokens. As released, an expert that hit may lose its slot to an
  /// earlier miss of the same token, which no cache can do: now and then it is above the optimum.
  case december
  /// The rule of December with the experts of the current token safe until they have run. Never
  /// above the optimum.
  case guarded

  /// Curves for every number of slots.
  ///
  /// - Parameters:
  ///   - segmentLength: Tokens of a segment, or of the look-ahead.
  ///   - conventions: How the replays of the two later definitions count; of the first one only the
  ///     scope is used.
  package func curves(
    _ routing: RoutingSequences, segmentLength: Int,
    conventions: ReplayConventions = .december
  ) throws(RoutingAnalysisError) -> HitCurves {
    var conventions = conventions
    switch self {
    case .october:
      return try HitCurves(
        coverageOf: routing, segmentLength: segmentLength, scope: conventions.scope)
    case .december: conventions.protection = .none
    case .guarded:
      if conventions.protection == .none { conventions.protection = .pending }
    }
    return try HitCurves(
      routing, rule: .segment(length: segmentLength), conventions: conventions)
  }
}

extension HitCurves {
  /// What share of a segment's activations its C most used experts make up, over all overlapping
  /// segments.
  init(
    coverageOf routing: RoutingSequences, segmentLength: Int, scope: ReplayConventions.Scope
  ) throws(RoutingAnalysisError) {
    guard (1...RoutingConsistency.segmentLengthMax).contains(segmentLength) else {
      throw RoutingAnalysisError(
        "segments of \(segmentLength) tokens cannot be analysed: give 1 to "
          + "\(RoutingConsistency.segmentLengthMax)")
    }
    try Self.checkTable(
      routing, expertCount: routing.expertCount * (scope == .pool ? routing.layerCount : 1))
    let scopes =
      scope == .layer ? (0..<routing.layerCount).map { $0..<$0 + 1 } : [0..<routing.layerCount]
    let kept = routing.sequences.indices.filter { routing.sequences[$0].count >= segmentLength }
    var parts: [HitCurve] = []
    var sequences = [HitCurve](repeating: .empty, count: kept.count)
    for layers in scopes {
      let stream = RequestStream(routing, layers: layers, lookUp: .token, order: .asRecorded)
      var part = HitCurve.empty
      for (index, sequence) in kept.enumerated() {
        var coverage = SegmentCoverage(expertCount: stream.expertCount, length: segmentLength)
        coverage.run(stream, routing.sequences[sequence])
        sequences[index] = sequences[index] + coverage.curve
        part = part + coverage.curve
      }
      parts.append(part)
    }
    var conventions = ReplayConventions.october
    conventions.scope = scope
    conventions.lookUp = .token
    conventions.coldMisses = .credited
    self.init(
      conventions: conventions, parts: parts, sequences: sequences,
      slotsPerToken: routing.expertsPerToken * scopes[0].count)
  }
}

/// Sums, over a sequence's segments, of the most used expert's activations, the second most used
/// one's, and so on.
///
/// When a token leaves or enters, an expert moves from one count to the next. In the descending
/// list of counts that changes one place: the first or the last of those with the same count. So no
/// list need be sorted, and the time is in proportion to the choices.
private struct SegmentCoverage {
  private let length: Int
  private var counts: [Int]
  /// (count): experts with more than that.
  private var greater: [Int]
  /// (rank): the count there, the segment since which it is so, and the sum over those before.
  private var ranked: [Int]
  private var since: [Int]
  private var sums: [Int]
  private var activationCount = 0
  private var segmentActivationCount = 0

  init(expertCount: Int, length: Int) {
    self.length = length
    counts = Array(repeating: 0, count: expertCount)
    greater = Array(repeating: 0, count: length + 1)
    (ranked, since, sums) = (counts, counts, counts)
  }

  mutating func run(_ stream: RequestStream, _ tokens: Range<Int>) {
    for token in tokens.prefix(length) { enter(stream, token, segment: 0) }
    let segmentCount = tokens.count - length + 1
    for segment in 0..<segmentCount {
      if segment > 0 {
        leave(stream, tokens.lowerBound + segment - 1, segment: segment)
        enter(stream, tokens.lowerBound + segment - 1 + length, segment: segment)
      }
      segmentActivationCount += activationCount
    }
    for rank in ranked.indices { settle(rank, segment: segmentCount) }
  }

  /// A hit with C slots is an activation of one of the C most used experts.
  var curve: HitCurve {
    HitCurve(
      warm: sums, cold: Array(repeating: 0, count: sums.count),
      requestCount: segmentActivationCount)
  }

  private mutating func settle(_ rank: Int, segment: Int) {
    sums[rank] += ranked[rank] * (segment - since[rank])
    since[rank] = segment
  }

  private mutating func enter(_ stream: RequestStream, _ token: Int, segment: Int) {
    for request in stream.requests(ofToken: token) {
      let expert = Int(stream.experts[request])
      let rank = greater[counts[expert]]
      settle(rank, segment: segment)
      greater[counts[expert]] += 1
      counts[expert] += 1
      ranked[rank] += 1
      activationCount += 1
    }
  }

  private mutating func leave(_ stream: RequestStream, _ token: Int, segment: Int) {
    for request in stream.requests(ofToken: token) {
      let expert = Int(stream.experts[request])
      counts[expert] -= 1
      greater[counts[expert]] -= 1
      let rank = greater[counts[expert]]
      settle(rank, segment: segment)
      ranked[rank] -= 1
      activationCount -= 1
    }
  }
}
