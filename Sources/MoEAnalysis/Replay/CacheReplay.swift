package import MoECache
private import MoECore

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
  /// - Parameter geometry: One layer for each of the trace's, with at least as many experts.
  package init(_ trace: RoutingTrace, geometry: CacheGeometry, policy: PolicyEntry) {
    precondition(geometry.layers.count == trace.layerCount)
    stepCounts = Array(repeating: 0, count: trace.expertsPerToken + 1)
    var cache = ExpertCache(geometry: geometry, policy: policy)
    var outcomes: [RequestedExpert] = []
    for token in 0..<trace.tokenCount {
      for layer in 0..<trace.layerCount {
        let experts = trace.selection(token: token, layer: layer).map(Int.init)
        cache.request(layer: layer, experts: experts.span, time: token, into: &outcomes)
        cache.finish(outcomes)
        count(outcomes)
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

  /// The hit rate, counted alike, of the clairvoyant policy that evicts what is used furthest in
  /// the future (Belady 1966), each layer by itself in an even share of its class's slots.
  package static func optimalHitRate(_ trace: RoutingTrace, geometry: CacheGeometry) -> Double {
    var (hitCount, missCount) = (0, 0)
    for layer in 0..<trace.layerCount {
      let sizeClass = geometry.layers[layer].sizeClass
      let layers = geometry.layersByClass[sizeClass].count
      let slotCount = (geometry.slotRanges[sizeClass].count + layers - 1) / max(1, layers)
      let counts = optimum(trace, layer: layer, slotCount: slotCount)
      hitCount += counts.hitCount
      missCount += counts.evictingMissCount
    }
    let count = hitCount + missCount
    return count > 0 ? Double(hitCount) / Double(count) : 1
  }

  /// One layer's hits, and its misses that had to evict.
  package static func optimum(
    _ trace: RoutingTrace, layer: Int, slotCount: Int
  ) -> (hitCount: Int, evictingMissCount: Int) {
    let expertCount = trace.expertCount
    // (token, rank): when the expert is used next after that.
    var following: [Int] = Array(repeating: 0, count: trace.tokenCount * trace.expertsPerToken)
    var upcoming = Array(repeating: Int.max, count: expertCount)
    for token in (0..<trace.tokenCount).reversed() {
      let selection = trace.selection(token: token, layer: layer)
      for (rank, expert) in selection.enumerated() {
        following[token * trace.expertsPerToken + rank] = upcoming[Int(expert)]
      }
      for expert in selection { upcoming[Int(expert)] = token }
    }
    // By expert: when it is used next where it is resident, else -1.
    var nextUses = Array(repeating: -1, count: expertCount)
    var (residentCount, hitCount, evictingMissCount) = (0, 0, 0)
    for token in 0..<trace.tokenCount {
      let selection = trace.selection(token: token, layer: layer)
      let isWanted = Set(selection.map(Int.init))
      for expert in selection where nextUses[Int(expert)] >= 0 { hitCount += 1 }
      for (rank, expert) in selection.enumerated() {
        let next = following[token * trace.expertsPerToken + rank]
        if nextUses[Int(expert)] < 0 {
          if residentCount < slotCount {
            residentCount += 1
          } else {
            evictingMissCount += 1
            let idle = nextUses.indices.filter { nextUses[$0] >= 0 && !isWanted.contains($0) }
            guard let victim = idle.max(by: { nextUses[$0] < nextUses[$1] }) else { continue }
            nextUses[victim] = -1
          }
        }
        nextUses[Int(expert)] = next
      }
    }
    return (hitCount, evictingMissCount)
  }
}
