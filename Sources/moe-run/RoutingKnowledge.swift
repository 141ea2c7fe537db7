import MoEAnalysis
import MoECore
import MoERuntime

/// What is known of a model's routing, for runs that differ in their pools of experts.
struct RoutingKnowledge {
  /// Where one was recorded.
  let trace: RoutingTrace?
  private let options: PredictionOptions
  private let plan: RunPlan
  /// Of the run that a hit rate is stated for.
  private let costs: RunCosts

  init(_ options: PredictionOptions, plan: RunPlan, costs: RunCosts) throws(Failure) {
    trace = try options.trace.map { path throws(Failure) in
      try Self.trace(at: path, costs: costs)
    }
    self.options = options
    self.plan = plan
    self.costs = costs
  }

  private static func trace(at path: String, costs: RunCosts) throws(Failure) -> RoutingTrace {
    let trace = try TraceArgument.trace(at: path)
    do {
      try trace.check(
        layerCount: costs.routedLayerCount, expertCount: costs.expertCount,
        expertsPerToken: costs.expertsPerToken, name: path)
      return trace
    } catch {
      throw .runtime(error.description)
    }
  }

  /// What to expect in the pool of `costs`.
  func estimate(_ costs: RunCosts, withOptimum: Bool = false) -> RoutingEstimate {
    if let trace, let path = options.trace {
      return .replayed(
        trace, name: path, costs: costs, policy: plan.cachePolicy.rawValue,
        withOptimum: withOptimum)
    }
    var estimate: RoutingEstimate
    if let hitRate = options.hitRate {
      estimate = .stated(hitRate, for: self.costs, in: costs, architecture: plan.architecture)
    } else {
      estimate = .assumed(architecture: plan.architecture, costs: costs)
    }
    estimate.policy = plan.cachePolicy.rawValue
    return estimate
  }

  /// Of steps with a row of each of several texts.
  func hitRate(
    of textCount: Int, _ union: RowUnion, _ estimate: RoutingEstimate, _ costs: RunCosts
  ) -> Double {
    if let trace,
      let replay = RowReplay(
        trace, rowCount: textCount, costs: costs, policy: plan.cachePolicy.rawValue)
    {
      return replay.hitRate
    }
    return estimate.hitRate(expertCount: union.expertCount(rowCount: textCount), in: costs)
  }

  /// The experts of steps with rows of several texts.
  var union: RowUnion {
    trace.map { RowUnion($0) }
      ?? RowUnion(expertCount: costs.expertCount, expertsPerToken: costs.expertsPerToken)
  }
}
