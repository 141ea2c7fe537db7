/// What became of the requests for experts, counted once per expert and step.
package struct CacheCounters: Sendable, Equatable {
  /// Requests whose expert had a slot, loaded or on its way.
  package var hitCount = 0
  /// Requests whose expert was given a slot and had to be read.
  package var missCount = 0
  /// Misses for which another expert lost its slot.
  package var evictionCount = 0

  package init() {}

  package var requestCount: Int { hitCount + missCount }

  /// Hits over requests; nil before the first request.
  package var hitRate: Double? {
    requestCount > 0 ? Double(hitCount) / Double(requestCount) : nil
  }

  package static func + (left: CacheCounters, right: CacheCounters) -> CacheCounters {
    var sum = left
    sum.hitCount += right.hitCount
    sum.missCount += right.missCount
    sum.evictionCount += right.evictionCount
    return sum
  }
}
