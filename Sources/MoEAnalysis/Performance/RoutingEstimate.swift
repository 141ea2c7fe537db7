private import MoECache
package import MoECore

/// How often experts are found in memory, and how many a prompt needs: what the performance model
/// has to know of a model's routing.
package struct RoutingEstimate: Sendable, Equatable {
  /// Where the figures come from.
  package enum Basis: String, Sendable, Encodable {
    /// All experts are resident: nothing had to be known.
    case derived
    /// From a recorded trace, by replay.
    case measured
    /// From traces of a model that may route alike.
    case assumed
    /// Given by the user.
    case user
  }

  /// Hits over requests of decoding.
  package var hitRate: Double
  /// (misses): how probable so many are in a step of one token on one layer.
  package var missDistribution: [Double]
  package var distinct: DistinctExperts
  package var basis: Basis
  /// Where the figures come from, in a few words.
  package var note: String
  /// What the clairvoyant policy would reach; nil where there is no trace, or nothing to evict.
  package var optimalHitRate: Double?
  /// What the model's tokens selected, to be replayed as a prompt; nil where nothing was recorded,
  /// or tokens took fewer experts than the model's.
  package var trace: RoutingTrace?
  /// The cache policy of the run.
  package var policy = PolicyRegistry.defaultEntry.name

  /// A hit rate that someone states; misses then fall on experts independently.
  package init(
    hitRate: Double, expertsPerToken: Int, distinct: DistinctExperts, basis: Basis, note: String
  ) {
    self.hitRate = hitRate
    missDistribution = Self.binomial(expertsPerToken, probability: 1 - hitRate)
    self.distinct = distinct
    self.basis = basis
    self.note = note
  }

  /// What to expect of a run without a trace: routing like that of a recorded model.
  package static func assumed(architecture: String, costs: RunCosts) -> RoutingEstimate {
    let family = RoutingFamily.matching(architecture)
    if costs.isResident { return resident(family, costs) }
    return RoutingEstimate(
      hitRate: family.hitRate(costs), expertsPerToken: costs.expertsPerToken,
      distinct: family.distinct, basis: .assumed, note: family.note)
  }

  /// A hit rate stated for the pool of `planned`, as it would be in the pool of `costs`: the misses
  /// change as those of the assumed routing do.
  package static func stated(
    _ hitRate: Double, for planned: RunCosts, in costs: RunCosts, architecture: String
  ) -> RoutingEstimate {
    let family = RoutingFamily.matching(architecture)
    if costs.isResident { return resident(family, costs) }
    let (before, after) = (1 - family.hitRate(planned), 1 - family.hitRate(costs))
    let ratio = before > 0 ? min(after / before, 1 / max(1 - hitRate, 1e-9)) : 1
    return RoutingEstimate(
      hitRate: 1 - (1 - hitRate) * ratio, expertsPerToken: costs.expertsPerToken,
      distinct: family.distinct, basis: .user, note: "as stated")
  }

  private static func resident(_ family: RoutingFamily, _ costs: RunCosts) -> RoutingEstimate {
    RoutingEstimate(
      hitRate: 1, expertsPerToken: costs.expertsPerToken, distinct: family.distinct,
      basis: .derived, note: "all experts are resident")
  }

  /// The replay of a trace through the cache that the run would have. A trace whose tokens take
  /// fewer experts than the model's is replayed in a pool that is smaller in proportion.
  ///
  /// Where the trace tells generated tokens from prompts, these are run in chunks and those alone
  /// count; else every token counts as one that was generated, in a pool that is full.
  ///
  /// The trace must have been checked against the model (`RoutingTrace.check`). The clairvoyant
  /// policy's hit rate takes as long again, so it has to be asked for.
  package static func replayed(
    _ trace: RoutingTrace, name: String, costs: RunCosts, policy: String, withOptimum: Bool
  ) -> RoutingEstimate {
    let distinct = DistinctExperts(trace, expertCount: costs.expertCount)
    let isWhole = trace.expertsPerToken == costs.expertsPerToken
    let slotCounts = costs.slotCounts.map { $0 * trace.expertsPerToken / costs.expertsPerToken }
    let geometry = CacheGeometry(
      layers: costs.layerGeometries, slotCounts: isWhole ? costs.slotCounts : slotCounts)
    let entry = PolicyRegistry.entry(named: policy) ?? PolicyRegistry.defaultEntry
    var estimate = RoutingEstimate(
      hitRate: 1, expertsPerToken: costs.expertsPerToken, distinct: distinct, basis: .measured,
      note: "\(trace.tokenCount) tokens of \(name), replayed"
        + (isWhole ? "" : " at \(trace.expertsPerToken) experts per token"))
    estimate.policy = policy
    if isWhole { estimate.trace = trace }
    if costs.isResident { return estimate }
    if isWhole,
      let replay = DecodeReplay(
        trace, geometry: geometry, ownSlotCounts: costs.ownSlotCounts,
        chunkTokenCount: costs.chunkTokenCount, policy: entry)
    {
      estimate.hitRate = replay.hitRate
      estimate.missDistribution = replay.missDistribution
      estimate.note += " after their prompts"
    } else {
      let replay = CacheReplay(trace, geometry: geometry, policy: entry)
      estimate.hitRate = replay.hitRate
      estimate.missDistribution = Self.binomial(
        costs.expertsPerToken, probability: 1 - replay.hitRate)
      if isWhole, let distribution = replay.missDistribution {
        estimate.missDistribution = distribution
      }
    }
    if withOptimum {
      // A trace that is too large to be analysed has none.
      var optimum = OptimalReplay(trace)
      estimate.optimalHitRate = try? optimum.inOnePool(geometry).hitRate
    }
    return estimate
  }

  /// The same with another hit rate, misses falling independently.
  package func with(hitRate: Double) -> RoutingEstimate {
    var estimate = self
    estimate.hitRate = hitRate
    estimate.missDistribution = Self.binomial(
      missDistribution.count - 1, probability: 1 - hitRate)
    return estimate
  }

  /// (successes): probabilities in `count` independent trials.
  static func binomial(_ count: Int, probability: Double) -> [Double] {
    var distribution = [1.0]
    for _ in 0..<max(0, count) {
      var next = Array(repeating: 0.0, count: distribution.count + 1)
      for (successes, value) in distribution.enumerated() {
        next[successes] += value * (1 - probability)
        next[successes + 1] += value * probability
      }
      distribution = next
    }
    return distribution
  }
}
