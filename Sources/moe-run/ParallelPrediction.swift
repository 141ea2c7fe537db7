import MoEAnalysis
import MoECore
import MoERuntime

/// What the performance model says of running several texts at a time, and how many are worth it.
struct ParallelPrediction {
  struct Row {
    let textCount: Int
    let memory: MemoryPlan
    let step: PhaseEstimate
  }

  let rows: [Row]
  let choice: ParallelChoice
  let position: Int
  /// Where the union of experts comes from.
  let unionNote: String
  let routingNote: String
  let note: String

  init(_ table: ParallelTable, options: PredictionOptions) throws(Failure) {
    guard let first = table.rows.first else {
      throw .runtime("the memory budget does not hold one text; give more memory")
    }
    let routing = try RoutingKnowledge(options, plan: table.plan, costs: first.costs)
    let union = routing.union
    rows = table.rows.map { row in
      let estimate = routing.estimate(row.costs)
      return Row(
        textCount: row.textCount, memory: row.memory,
        step: PerformanceModel(costs: row.costs, routing: estimate).decode(
          rowCount: row.textCount, position: table.position, union: union,
          missShare: 1 - routing.hitRate(of: row.textCount, union, estimate, row.costs)))
    }
    choice = ParallelChoice(
      rows.map { ($0.textCount, $0.step.tokensPerSecond) },
      refusedTextCount: table.refusedTextCount)
    position = table.position
    unionNote =
      routing.trace == nil
      ? "texts choose evenly and by themselves" : "rows of \(options.trace ?? "") far apart"
    routingNote = routing.estimate(first.costs).note
    note = table.note
  }
}
