import MoECache
import MoECore

/// What the engine's cache makes of the generated tokens of a recorded run, after its prompts in
/// chunks, in the pool of another run.
///
/// The first tokens after a prompt find what its last chunk left, not what tokens one by one would
/// have: their misses belong to the run, and so they count.
struct DecodeReplay {
  private(set) var hitCount = 0
  private(set) var requestCount = 0
  /// (misses): steps of one generated token on one layer that had so many.
  private(set) var stepCounts: [Int]

  /// Fewer generated tokens say too little.
  private static let tokenCountMin = 16

  /// Nil where the trace does not say which tokens were generated, or has hardly any.
  init?(
    _ trace: RoutingTrace, geometry: CacheGeometry, ownSlotCounts: [Int], chunkTokenCount: Int,
    policy: PolicyEntry
  ) {
    guard let phases = trace.phases,
      phases.count(where: { $0 == .decode }) >= Self.tokenCountMin
    else { return nil }
    stepCounts = Array(repeating: 0, count: trace.expertsPerToken + 1)
    var replay = PassReplay(geometry: geometry, policy: policy, ownSlotCounts: ownSlotCounts)
    let name = SequenceID(rawValue: 0)
    for sequence in trace.sequences {
      replay.beginSequence(name)
      var start = sequence.lowerBound
      while start < sequence.upperBound {
        let phase = phases[start]
        let run = phases[start..<sequence.upperBound].prefix { $0 == phase }.count
        let count = phase == .decode ? 1 : min(run, chunkTokenCount)
        replay.beginPass(phase, [SequenceRun(name, rowCount: count)])
        for (place, layer) in geometry.expertLayers.enumerated() {
          var step = RoutedStep(trace, tokens: start..<start + count, layer: place)
          replay.run(&step, layer: layer)
          if phase == .decode { self.count(step) }
        }
        start += count
      }
      replay.endSequence(name)
    }
  }

  private mutating func count(_ step: RoutedStep) {
    hitCount += step.hitCount
    requestCount += step.requests.count
    stepCounts[step.requests.count - step.hitCount] += 1
  }

  var hitRate: Double { Double(hitCount) / Double(max(1, requestCount)) }

  /// How probable each number of misses is in a step of one token on one layer.
  var missDistribution: [Double] {
    let count = Double(max(1, stepCounts.reduce(0, +)))
    return stepCounts.map { Double($0) / count }
  }
}
