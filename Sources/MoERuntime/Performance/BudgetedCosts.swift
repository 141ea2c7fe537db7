package import MoECore
import MoEExperts
import MoEStore

/// A run in one of several memory budgets, with what its parts cost: one line of a table of speeds.
package struct BudgetedCosts: Sendable {
  package let memory: MemoryPlan
  package let costs: RunCosts
}

/// One model in several budgets, on one measurement of the machine.
package struct BudgetTable: Sendable {
  /// Of the run as its options have it.
  package let plan: RunPlan
  /// Ascending by budget; those that are too small to run in are left out.
  package let rows: [BudgetedCosts]
  /// When the machine was measured, and whether the result could be kept.
  package let note: String
}

extension Engine {
  /// What a run costs in each of several budgets. The machine is measured once, in at most 10
  /// seconds unless kept from before.
  ///
  /// - Parameter budgets: Sizes; shares are of the model's files. Empty: from the smallest that
  ///   works to one that holds all experts.
  ///   - position: Where in a context of some length decoding is looked at.
  package static func plannedCosts(
    modelAt path: String, options: EngineOptions, budgets: [SizeSpecification],
    position: (_ contextLength: Int) -> Int, probe: ProbeMode, environment: [String: String]
  ) throws(EngineError) -> BudgetTable {
    var prepared = try PreparedRun(path: path, options: options)
    guard prepared.plan.fits else { throw .budgetTooSmall(prepared.plan) }
    let (result, note, isNew) = try prepared.measured(probe, environment: environment)
    // Measuring has made the process larger, which a plan counts.
    if isNew { prepared = try PreparedRun(path: path, options: options) }
    let plan = prepared.runPlan(storeReport: try prepared.makeReader().report)
    let byteCounts =
      budgets.isEmpty
      ? standardBudgets(prepared.plan, expertByteCount: plan.expertByteCount)
      : budgets.map { $0.byteCount(of: plan.modelByteCount) }
    var rows: [BudgetedCosts] = []
    for byteCount in Set(byteCounts).sorted() {
      let memory = try prepared.plan(
        tensors: prepared.header.tensors, budgetByteCount: byteCount)
      guard memory.fits else { continue }
      rows.append(
        BudgetedCosts(
          memory: memory,
          costs: prepared.costs(
            prepared.header.tensors, plan: memory, at: position(memory.contextLength),
            probe: result)))
    }
    return BudgetTable(plan: plan, rows: rows, note: note)
  }

  /// From a little above the smallest budget to a little above one that holds all experts; in whole
  /// MiB, from 1 GiB on in quarters of a GiB.
  ///
  /// - Parameter plan: In all of the machine's memory.
  static func standardBudgets(_ plan: MemoryPlan, expertByteCount: Int) -> [Int] {
    // A process grows by some MiB while it runs.
    let slack = 4 << 20
    let smallest = plan.smallestBudgetByteCount + slack
    let full =
      plan.placement == .resident
      ? plan.totalByteCount + plan.totalByteCount / 64 + slack : smallest + expertByteCount
    return [0, 0.125, 0.25, 0.5, 0.75, 1].map { share in
      let wanted = smallest + Int(share * Double(max(0, full - smallest)))
      let unit = wanted >= 1 << 30 && share > 0 ? 1 << 28 : 1 << 20
      return (wanted + unit - 1) / unit * unit
    }
  }
}

extension PreparedRun {
  /// What the parts of a run cost on this machine.
  ///
  /// - Parameter probe: Never `.none`.
  /// - Returns: The figures, when they were measured and what to think of them, and whether that
  ///   was now.
  func measured(
    _ probe: ProbeMode, environment: [String: String]
  ) throws(EngineError) -> (result: ProbeResult, note: String, isNew: Bool) {
    let request = ProbeRequest(self)
    let cache = ResultCache<ProbeRequest, ProbeResult>(prefix: "probe", environment: environment)
    if probe == .cached, let kept = cache.result(for: request), kept.suits(request) {
      let notes = ["measured before, on this machine", kept.warning]
      return (kept, notes.compactMap(\.self).joined(separator: "; "), false)
    }
    let result = try MachineProbe(self, request: request).measure()
    let notes = ["measured now", cache.store(result, for: request), result.warning]
    return (result, notes.compactMap(\.self).joined(separator: "; "), true)
  }
}
