/// Moves a segment over one layer's sequences, token by token, and counts activations.
///
/// A step changes the count of no more experts than two tokens take. A count is entered into the
/// histogram when it changes, with the number of segments that it stood for, so that the time is in
/// proportion to the choices and not to the experts.
struct SegmentSlider {
  private let stream: RequestStream
  private let segmentLength: Int
  private let sequences: [Range<Int>]
  /// (expert): activations in the current segment, and the segment since which there are as many.
  private var counts: [Int]
  private var since: [Int]
  /// (expert)
  private(set) var histograms: [SegmentHistogram]
  /// By sequence, the groups being experts; nil where not kept.
  private(set) var expertCounts: SequenceCounts?

  /// `sequences` have at least `segmentLength` tokens each.
  init(
    _ stream: RequestStream, segmentLength: Int, sequences: [Range<Int>], keepsSequences: Bool
  ) {
    self.stream = stream
    self.segmentLength = segmentLength
    self.sequences = sequences
    counts = Array(repeating: 0, count: stream.expertCount)
    since = counts
    histograms = Array(
      repeating: SegmentHistogram(segmentLength: segmentLength), count: stream.expertCount)
    if keepsSequences {
      expertCounts = SequenceCounts(
        sequenceCount: sequences.count, groupCount: stream.expertCount,
        binCount: segmentLength + 1)
    }
  }

  /// Enters all sequences, and their sums over experts as one group of `sums`.
  mutating func run(into sums: inout SequenceCounts, group: Int) {
    for sequence in sequences.indices {
      let tokens = sequences[sequence]
      for expert in counts.indices { (counts[expert], since[expert]) = (0, 0) }
      for token in tokens.prefix(segmentLength) {
        for request in stream.requests(ofToken: token) { counts[Int(stream.experts[request])] += 1 }
      }
      let segmentCount = tokens.count - segmentLength + 1
      for segment in 1..<segmentCount {
        let leaving = tokens.lowerBound + segment - 1
        for request in stream.requests(ofToken: leaving) {
          change(stream.experts[request], by: -1, at: segment, sequence, &sums, group)
        }
        for request in stream.requests(ofToken: leaving + segmentLength) {
          change(stream.experts[request], by: 1, at: segment, sequence, &sums, group)
        }
      }
      for expert in 0..<stream.expertCount {
        change(Int32(expert), by: 0, at: segmentCount, sequence, &sums, group)
      }
    }
  }

  private mutating func change(
    _ expert: Int32, by step: Int, at segment: Int, _ sequence: Int,
    _ sums: inout SequenceCounts, _ group: Int
  ) {
    let expert = Int(expert)
    let (count, run) = (counts[expert], segment - since[expert])
    if run > 0 {
      histograms[expert].add(run, activations: count)
      sums.add(run, sequence: sequence, group: group, activations: count)
      expertCounts?.add(run, sequence: sequence, group: expert, activations: count)
    }
    counts[expert] = count + step
    since[expert] = segment
  }
}
