import MoEAnalysis
import MoECore
import MoERuntime

/// What the performance model says of a planned run, and what would help it.
struct Prediction {
  /// One change of the machine or the model.
  struct Advice {
    let change: String
    /// Nil where the change cannot be had.
    let decode: PhaseEstimate?
    let prefill: PhaseEstimate?
    /// Why it cannot.
    let note: String?
  }

  let routing: RoutingEstimate
  let promptTokenCount: Int
  let prefill: PhaseEstimate
  let decode: PhaseEstimate
  /// Decoding as the clairvoyant cache policy would have it; nil without a trace.
  let optimum: PhaseEstimate?
  let advice: [Advice]
  let figures: [PlannedCosts.Figure]
  let note: String

  init(_ planned: PlannedCosts, options: PredictionOptions) throws(Failure) {
    let (promptTokenCount, context) = (
      planned.promptTokenCount, planned.plan.memory.contextLength
    )
    if let wanted = options.promptTokens, wanted > promptTokenCount {
      throw .usage(
        "--prompt-tokens is \(wanted), but the context holds \(context); give fewer, or "
          + "a larger context (-c)")
    }
    let routing = try RoutingKnowledge(options, plan: planned.plan, costs: planned.costs)
    func model(_ costs: RunCosts) -> PerformanceModel {
      PerformanceModel(
        costs: costs, routing: routing.estimate(costs, withOptimum: costs == planned.costs))
    }
    let main = model(planned.costs)
    prefill = main.prefill(promptTokenCount: promptTokenCount)
    decode = main.decode(position: promptTokenCount)
    optimum = main.routing.optimalHitRate.map {
      PerformanceModel(costs: planned.costs, routing: main.routing.with(hitRate: $0))
        .decode(position: promptTokenCount)
    }
    var faster = planned.costs
    faster.disk.bytesPerSecond *= 2
    func advice(_ change: String, _ costs: RunCosts?, else note: String) -> Advice {
      let changed = costs.map(model)
      return Advice(
        change: change, decode: changed?.decode(position: promptTokenCount),
        prefill: changed?.prefill(promptTokenCount: promptTokenCount),
        note: changed == nil ? note : nil)
    }
    self.advice = [
      advice(
        planned.moreMemory?.name ?? "more memory", planned.moreMemory?.costs,
        else: "no gain: all experts are resident"),
      advice(
        "a disk twice as fast", planned.costs.isResident ? nil : faster,
        else: "no gain after loading: all experts are resident"),
      advice(
        planned.fewerBits?.name ?? "fewer bits per weight", planned.fewerBits?.costs,
        else: "no smaller format has kernels here"),
    ]
    self.routing = main.routing
    self.promptTokenCount = promptTokenCount
    figures = planned.figures
    note = planned.note
  }
}
