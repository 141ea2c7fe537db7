package import MoECache

/// What the clairvoyant policy makes of a routing trace: of those that admit every miss, the most
/// that any can hit (Belady 1966). One pass for all sizes of the pool (`HitCurves`).
package struct OptimalReplay: Sendable {
  private let trace: RoutingTrace
  /// What was found for some layers in one pool, since sizes are asked for one after the other.
  private var curves: [[Int]: [HitCurve]] = [:]

  /// What was hit with one size of the pool.
  package struct Counts: Sendable, Equatable {
    package var requestCount = 0
    package var hitCount = 0
    /// Misses that evicted another expert.
    package var evictingMissCount = 0

    init() {}

    init(_ curve: HitCurve, slotCount: Int) {
      requestCount = curve.requestCount
      hitCount = curve.hitCount(slots: slotCount, coldMisses: .counted)
      evictingMissCount =
        requestCount - curve.hitCount(slots: slotCount, coldMisses: .credited)
    }

    static func += (left: inout Counts, right: Counts) {
      left.requestCount += right.requestCount
      left.hitCount += right.hitCount
      left.evictingMissCount += right.evictingMissCount
    }

    /// Hits over requests of a pool that is full; 1 where it never had to evict.
    package var hitRate: Double {
      let count = hitCount + evictingMissCount
      return count > 0 ? Double(hitCount) / Double(count) : 1
    }
  }

  package init(_ trace: RoutingTrace) { self.trace = trace }

  /// With one pool for the layers of each size class, in which any may take the slots of any other.
  package mutating func inOnePool(
    _ geometry: CacheGeometry
  ) throws(RoutingAnalysisError) -> Counts {
    var sum = Counts()
    let all = geometry.expertLayers
    for (layers, range) in zip(geometry.layersByClass, geometry.slotRanges) where !layers.isEmpty {
      let places = all.indices.filter { layers.contains(all[$0]) }
      for curve in try curves(of: places, scope: .pool) {
        sum += Counts(curve, slotCount: range.count)
      }
    }
    return sum
  }

  /// With each layer by itself, in an even share of its class's slots.
  package mutating func inEvenShares(
    _ geometry: CacheGeometry
  ) throws(RoutingAnalysisError) -> Counts {
    var sum = Counts()
    let floors = geometry.floors(share: 1)
    let shares = geometry.expertLayers.map { floors[$0] }
    for (layer, curve) in try curves(of: Array(shares.indices), scope: .layer).enumerated() {
      sum += Counts(curve, slotCount: shares[layer])
    }
    return sum
  }

  /// (layer), or one for the pool.
  private mutating func curves(
    of layers: [Int], scope: ReplayConventions.Scope
  ) throws(RoutingAnalysisError) -> [HitCurve] {
    // Layers by themselves are asked for in one way only.
    let key = scope == .pool ? layers : []
    if let known = curves[key] { return known }
    let routing = try RoutingSequences(trace).layers(layers)
    let found = try HitCurves(
      routing, rule: .belady, conventions: .engine.scoped(scope)
    ).parts
    curves[key] = found
    return found
  }
}

extension RoutingSequences {
  /// The same tokens in some of the layers.
  func layers(_ layers: [Int]) throws(RoutingAnalysisError) -> RoutingSequences {
    if layers == Array(0..<layerCount) { return self }
    var chosen: [Int32] = []
    for token in 0..<experts.count / (layerCount * expertsPerToken) {
      for layer in layers { chosen += selection(token: token, layer: layer) }
    }
    return try RoutingSequences(
      layerCount: layers.count, expertCount: expertCount, expertsPerToken: expertsPerToken,
      experts: chosen, sequenceStarts: sequences.map(\.lowerBound), labels: labels,
      tokenIDs: tokenIDs)
  }
}
