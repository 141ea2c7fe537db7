package import MoECache
import MoECore

/// What an expert cache makes of a routing trace: the engine's own policy code, without an engine.
package struct CacheReplay: Sendable, Equatable {
  package private(set) var hitCount = 0
  /// Misses that evicted another expert.
  package private(set) var evictingMissCount = 0
  /// Misses that found an empty slot. They end once the pool is full, which a prompt sees to, so
  /// the hit rate leaves them out.
  package private(set) var fillingMissCount = 0
  /// (misses): steps of one token on one layer that had so many, among those that filled no slot.
  package private(set) var stepCounts: [Int]

  /// Replays the decoding of every token of a trace, in a cache that starts empty.
  ///
  /// - Parameters:
  ///   - geometry: One layer with experts for each of the trace's, with at least as many.
  ///   - floorShare: As of `ExpertCache`.
  package init(
    _ trace: RoutingTrace, geometry: CacheGeometry, policy: PolicyEntry, floorShare: Double? = nil
  ) {
    var cache = ExpertCache(geometry: geometry, policy: policy, floorShare: floorShare)
    self.init(trace, in: &cache)
  }

  /// The same with a policy that is told the future.
  package init(
    _ trace: RoutingTrace, geometry: CacheGeometry, policy: ClairvoyantPolicyEntry,
    floorShare: Double
  ) {
    var times = [[Int32]](repeating: [], count: geometry.expertCount)
    for token in 0..<trace.tokenCount {
      for (place, layer) in geometry.expertLayers.enumerated() {
        let first = geometry.ordinals(of: layer).lowerBound
        for expert in trace.selection(token: token, layer: place) {
          times[first + Int(expert)].append(Int32(token))
        }
      }
    }
    var cache = ExpertCache(
      geometry: geometry, policy: policy, future: FutureUses(times: times), floorShare: floorShare)
    self.init(trace, in: &cache)
  }

  private init(_ trace: RoutingTrace, in cache: inout ExpertCache) {
    let layers = cache.geometry.expertLayers
    precondition(layers.count == trace.layerCount)
    stepCounts = Array(repeating: 0, count: trace.expertsPerToken + 1)
    let experts = trace.experts.map(Int.init)
    let starts = Set(trace.sequenceStarts)
    let sequence = SequenceID(rawValue: 0)
    var outcomes: [RequestedExpert] = []
    var first = 0
    for token in 0..<trace.tokenCount {
      if starts.contains(token) {
        if token > 0 { cache.endSequence(sequence) }
        cache.beginSequence(sequence)
      }
      for (place, layer) in layers.enumerated() {
        let end = first + trace.selection(token: token, layer: place).count
        let selection = experts.span.extracting(first..<end)
        cache.request(layer: layer, experts: selection, time: token, into: &outcomes)
        cache.finish(outcomes)
        count(outcomes)
        first += trace.expertsPerToken
      }
    }
  }

  private mutating func count(_ outcomes: [RequestedExpert]) {
    var (missCount, fillCount) = (0, 0)
    for outcome in outcomes {
      if outcome.isHit {
        hitCount += 1
      } else if outcome.evicted == nil && outcome.slot != nil {
        fillCount += 1
      } else {
        missCount += 1
      }
    }
    evictingMissCount += missCount
    fillingMissCount += fillCount
    if fillCount == 0 { stepCounts[missCount] += 1 }
  }

  /// Hits over requests of a pool that is full; 1 where it never had to evict.
  package var hitRate: Double {
    let count = hitCount + evictingMissCount
    return count > 0 ? Double(hitCount) / Double(count) : 1
  }

  /// How probable each number of misses is in a step of one token on one layer; nil where every
  /// step filled slots.
  package var missDistribution: [Double]? {
    let count = stepCounts.reduce(0, +)
    return count > 0 ? stepCounts.map { Double($0) / Double(count) } : nil
  }
}
