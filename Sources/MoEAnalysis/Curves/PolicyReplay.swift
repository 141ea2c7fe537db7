package import MoECache
private import MoECore

/// Hits of a policy of the engine at some numbers of slots, by replay of its own code: what a
/// policy needs for which no one pass finds all numbers of slots.
package struct PolicyReplay: Sendable, Equatable {
  package struct Point: Sendable, Equatable {
    /// Slots of each layer, or of the pool.
    package var slots: Int
    /// Requests whose expert was there.
    package var hitCount = 0
    /// First uses of experts while fewer of them than slots were seen before: hits where cold
    /// misses are credited.
    package var creditedCount = 0
    package var requestCount = 0

    fileprivate mutating func add(_ other: Point) {
      hitCount += other.hitCount
      creditedCount += other.creditedCount
      requestCount += other.requestCount
    }

    package func hitRate(_ coldMisses: ReplayConventions.ColdMisses) -> Double? {
      guard requestCount > 0 else { return nil }
      let credit = coldMisses == .credited ? creditedCount : 0
      return Double(hitCount + credit) / Double(requestCount)
    }
  }

  package let policy: String
  package let conventions: ReplayConventions
  /// In the order asked for.
  package let points: [Point]

  /// Replays a policy once for each number of slots; those below 1 hit nothing.
  ///
  /// The cache pins what it looks up together until all of it has run (`Protection.step`, whatever
  /// the conventions say); looking up a token's experts of all layers together is not what a cache
  /// of the engine can do and is replayed layer by layer. Where slots are fewer than that, the
  /// surplus is read past the pool, as a miss.
  package init(
    _ routing: RoutingSequences, policy: PolicyEntry, slotCounts: [Int],
    conventions: ReplayConventions
  ) {
    self.policy = policy.name
    var conventions = conventions
    conventions.protection = .step
    if conventions.scope == .pool && conventions.lookUp == .token { conventions.lookUp = .layer }
    self.conventions = conventions
    let scopes =
      conventions.scope == .layer
      ? (0..<routing.layerCount).map { $0..<$0 + 1 } : [0..<routing.layerCount]
    let empty = slotCounts.map { Point(slots: $0) }
    points = concurrently(scopes.count, into: empty) { [conventions] part in
      let stream = RequestStream(
        routing, layers: scopes[part], lookUp: conventions.lookUp, order: conventions.order)
      return concurrently(empty.count) { index in
        var point = empty[index]
        Self.replay(
          stream, layerCount: scopes[part].count, policy: policy, conventions: conventions,
          into: &point)
        return point
      }
    } combine: { points, _, found in
      for index in points.indices { points[index].add(found[index]) }
    }
  }

  private static func replay(
    _ stream: RequestStream, layerCount: Int, policy: PolicyEntry, conventions: ReplayConventions,
    into point: inout Point
  ) {
    let expertCount = stream.expertCount / layerCount
    let geometry = CacheGeometry(
      layers: Array(
        repeating: LayerGeometry(expertCount: expertCount, sizeClass: 0), count: layerCount),
      slotCounts: [min(max(point.slots, 0), stream.expertCount)])
    // One pool: whoever needs a slot may take anybody's.
    func emptyCache() -> ExpertCache {
      ExpertCache(geometry: geometry, policy: policy, floorShare: layerCount == 1 ? 1 : 0)
    }
    var cache = emptyCache()
    var seen = SeenExperts(count: stream.expertCount)
    var (experts, outcomes) = ([Int](), [RequestedExpert]())
    for tokens in stream.sequences {
      if conventions.continuity == .restarted {
        cache = emptyCache()
        seen.clear()
      }
      for token in tokens {
        for step in stream.steps(ofToken: token) {
          let requests = stream.requests(ofStep: step)
          let layer = Int(stream.experts[requests.lowerBound]) / expertCount
          experts.removeAll(keepingCapacity: true)
          for request in requests {
            let expert = Int(stream.experts[request])
            experts.append(expert - layer * expertCount)
            if seen.insert(expert), seen.count <= point.slots { point.creditedCount += 1 }
          }
          // The cache wants the best first.
          if conventions.order == .bestLast { experts.reverse() }
          cache.request(layer: layer, experts: experts.span, time: token, into: &outcomes)
          for outcome in outcomes where outcome.isHit { point.hitCount += 1 }
          point.requestCount += requests.count
          cache.finish(outcomes)
        }
      }
    }
  }
}

private struct SeenExperts {
  private var isSeen: [Bool]
  private(set) var count = 0

  init(count: Int) { isSeen = Array(repeating: false, count: count) }

  /// Whether it is new.
  mutating func insert(_ expert: Int) -> Bool {
    if isSeen[expert] { return false }
    isSeen[expert] = true
    count += 1
    return true
  }

  mutating func clear() {
    for index in isSeen.indices { isSeen[index] = false }
    count = 0
  }
}
