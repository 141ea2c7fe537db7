/// Segment routing best performance (SRP) of a model's routing, of its layers and of its experts:
/// how well a router would do that decides only once for each segment of some tokens ("Not All
/// Models Suit Expert Offloading", arXiv 2505.16056).
///
/// Segments overlap, begin at every token, and never reach over the end of a sequence. A sequence
/// shorter than a segment has none. By domain: measure `RoutingSequences.labelled(_:)`.
package struct RoutingConsistency: Sendable {
  /// One group's best router, and the interval of its performance.
  package struct Group: Sendable, Equatable {
    package var router: SegmentRouter
    /// Of the performance; nil where it was not asked for or fewer than two sequences are long
    /// enough.
    package var interval: ClosedRange<Double>?
  }

  package let segmentLength: Int
  /// All experts of all layers; nil where no sequence is as long as a segment.
  package let model: Group?
  /// (layer) or empty where no sequence is long enough.
  package let layers: [Group]
  /// (layer, expert) or empty.
  package let experts: [Group]
  /// Sequences as long as a segment.
  package let sequenceCount: Int
  package let expertCount: Int

  package static let segmentLengthMax = 1 << 16

  /// Takes time in proportion to the trace's choices, and to drawings times sequences times layers
  /// times segment length for intervals.
  ///
  /// - Parameters:
  ///   - bootstrap: How to find intervals of the model and its layers; nil for none.
  ///   - withExpertIntervals: Also those of single experts, which take as many times longer as
  ///     there are experts in a layer.
  package init(
    _ routing: RoutingSequences, segmentLength: Int, bootstrap: Bootstrap? = Bootstrap(),
    withExpertIntervals: Bool = false
  ) throws(RoutingAnalysisError) {
    guard (1...Self.segmentLengthMax).contains(segmentLength) else {
      throw RoutingAnalysisError(
        "segments of \(segmentLength) tokens cannot be analysed: give 1 to "
          + "\(Self.segmentLengthMax)")
    }
    self.segmentLength = segmentLength
    expertCount = routing.expertCount
    let kept = routing.sequences.filter { $0.count >= segmentLength }
    sequenceCount = kept.count
    try RoutingAnalysisError.checkTable(
      [kept.count, routing.layerCount, segmentLength + 1], of: "sequences, layers and activations")
    let withExpertIntervals = withExpertIntervals && bootstrap != nil
    try RoutingAnalysisError.checkTable(
      [withExpertIntervals ? kept.count : 1, routing.expertCount, segmentLength + 1],
      of: "sequences, experts and activations")
    var layerCounts = SequenceCounts(
      sequenceCount: kept.count, groupCount: routing.layerCount, binCount: segmentLength + 1)
    var experts: [Group] = []
    var total = SegmentHistogram(segmentLength: segmentLength)
    var layerHistograms: [SegmentHistogram] = []
    for layer in 0..<(kept.isEmpty ? 0 : routing.layerCount) {
      var slider = SegmentSlider(
        RequestStream(routing, layer: layer), segmentLength: segmentLength,
        sequences: kept, keepsSequences: withExpertIntervals)
      slider.run(into: &layerCounts, group: layer)
      let intervals = bootstrap.flatMap { slider.expertCounts?.intervals($0) }
      for (expert, histogram) in slider.histograms.enumerated() {
        guard let router = histogram.bestRouter else { continue }
        experts.append(Group(router: router, interval: intervals?[expert] ?? nil))
      }
      let histogram = slider.histograms.reduce(SegmentHistogram(segmentLength: segmentLength), +)
      layerHistograms.append(histogram)
      total = total + histogram
    }
    self.experts = experts
    let intervals = bootstrap.map { layerCounts.intervals($0) }
    layers = layerHistograms.enumerated().compactMap { layer, histogram in
      histogram.bestRouter.map { Group(router: $0, interval: intervals?[layer] ?? nil) }
    }
    model = total.bestRouter.map { Group(router: $0, interval: intervals?.last ?? nil) }
  }

  /// One expert; nil where no sequence is as long as a segment.
  package func expert(_ expert: Int, layer: Int) -> Group? {
    guard (0..<expertCount).contains(expert), layer >= 0 else { return nil }
    let index = layer * expertCount + expert
    return index < experts.count ? experts[index] : nil
  }
}

/// Histograms by sequence: what intervals are found from.
struct SequenceCounts: Sendable {
  let sequenceCount: Int
  let groupCount: Int
  let binCount: Int
  /// (sequence, group, activations)
  private var counts: [Int]

  init(sequenceCount: Int, groupCount: Int, binCount: Int) {
    self.sequenceCount = sequenceCount
    self.groupCount = groupCount
    self.binCount = binCount
    counts = Array(repeating: 0, count: sequenceCount * groupCount * binCount)
  }

  mutating func add(_ count: Int, sequence: Int, group: Int, activations: Int) {
    counts[(sequence * groupCount + group) * binCount + activations] += count
  }

  /// (group), and last of all groups together; nil with fewer than two sequences.
  func intervals(_ bootstrap: Bootstrap) -> [ClosedRange<Double>?] {
    guard sequenceCount > 1 else { return Array(repeating: nil, count: groupCount + 1) }
    var redrawn = [[Double]](repeating: [], count: groupCount + 1)
    bootstrap.forEachResample(of: sequenceCount) { weights in
      for (group, value) in performances(weights).enumerated() { redrawn[group].append(value) }
    }
    let values = performances(Array(repeating: 1, count: sequenceCount))
    return zip(values, redrawn).map { bootstrap.interval(about: $0, redrawn: $1) }
  }

  private func performances(_ weights: [Int]) -> [Double] {
    let width = groupCount * binCount
    var sums = [Int](repeating: 0, count: width)
    for sequence in 0..<sequenceCount where weights[sequence] > 0 {
      let (weight, first) = (weights[sequence], sequence * width)
      for index in 0..<width { sums[index] &+= weight &* counts[first + index] }
    }
    var all = [Int](repeating: 0, count: binCount)
    var values: [Double] = []
    for group in 0..<groupCount {
      let bins = Array(sums[group * binCount..<(group + 1) * binCount])
      for index in 0..<binCount { all[index] += bins[index] }
      values.append(bins.withBestRouter(total: bins.activationSum).performance)
    }
    return values + [all.withBestRouter(total: all.activationSum).performance]
  }
}
