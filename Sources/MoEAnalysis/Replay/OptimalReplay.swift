package import MoECache

/// What the clairvoyant policy makes of a routing trace: of those that admit every miss, the most
/// that any can hit (Belady 1966).
package struct OptimalReplay: Sendable, Equatable {
  package private(set) var hitCount = 0
  /// Misses that evicted another expert.
  package private(set) var evictingMissCount = 0
  package private(set) var requestCount = 0

  private init() {}

  /// One pool for some layers, in which any may take the slots of any other.
  package init(_ trace: RoutingTrace, layers: [Int], slotCount: Int) {
    let expertCount = trace.expertCount
    var optimum = PastOptimum(
      expertCount: layers.count * expertCount, slotCount: slotCount,
      remembering: trace.tokenCount * layers.count + 1)
    var isSeen = Array(repeating: false, count: layers.count * expertCount)
    var seenCount = 0
    var step: [Int] = []
    for token in 0..<trace.tokenCount {
      for (place, layer) in layers.enumerated() {
        step.removeAll(keepingCapacity: true)
        for expert in trace.selection(token: token, layer: layer) {
          let ordinal = place * expertCount + Int(expert)
          step.append(ordinal)
          if !isSeen[ordinal] {
            isSeen[ordinal] = true
            seenCount += 1
          }
        }
        optimum.add(step.span)
      }
    }
    requestCount = trace.tokenCount * layers.count * trace.expertsPerToken
    hitCount = requestCount - optimum.missCount
    evictingMissCount = optimum.missCount - min(seenCount, slotCount)
  }

  /// One pool for the layers of each size class.
  package init(_ trace: RoutingTrace, geometry: CacheGeometry) {
    self.init()
    for (layers, range) in zip(geometry.layersByClass, geometry.slotRanges) where !layers.isEmpty {
      add(OptimalReplay(trace, layers: layers, slotCount: range.count))
    }
  }

  /// Each layer by itself, in an even share of its class's slots.
  package static func inEvenShares(
    _ trace: RoutingTrace, geometry: CacheGeometry
  ) -> OptimalReplay {
    var sum = OptimalReplay()
    for (layer, slotCount) in geometry.floors(share: 1).enumerated() {
      sum.add(OptimalReplay(trace, layers: [layer], slotCount: slotCount))
    }
    return sum
  }

  private mutating func add(_ other: OptimalReplay) {
    hitCount += other.hitCount
    evictingMissCount += other.evictingMissCount
    requestCount += other.requestCount
  }

  /// Hits over requests of a pool that is full; 1 where it never had to evict.
  package var hitRate: Double {
    let count = hitCount + evictingMissCount
    return count > 0 ? Double(hitCount) / Double(count) : 1
  }
}

extension CacheReplay {
  /// The hit rate of the clairvoyant policy in one pool for each size class, counted like a replay's.
  package static func optimalHitRate(_ trace: RoutingTrace, geometry: CacheGeometry) -> Double {
    OptimalReplay(trace, geometry: geometry).hitRate
  }

  /// One layer's hits under it, and its misses that had to evict.
  package static func optimum(
    _ trace: RoutingTrace, layer: Int, slotCount: Int
  ) -> (hitCount: Int, evictingMissCount: Int) {
    let replay = OptimalReplay(trace, layers: [layer], slotCount: slotCount)
    return (replay.hitCount, replay.evictingMissCount)
  }
}
