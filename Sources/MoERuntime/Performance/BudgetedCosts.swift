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
    let prepared = try PreparedRun(path: path, options: options)
    let plan = prepared.runPlan(storeReport: try prepared.makeReader().report)
    guard prepared.plan.fits else { throw .budgetTooSmall(prepared.plan) }
    let request = ProbeRequest(prepared)
    let cache = ProbeCache(environment: environment)
    var result = probe == .cached ? cache.result(for: request) : nil
    var notes = ["measured before, on this machine"]
    if result == nil {
      let measured = try MachineProbe(prepared, request: request).measure()
      notes = ["measured now"] + [cache.store(measured, for: request)].compactMap(\.self)
      result = measured
    }
    guard let result else { return BudgetTable(plan: plan, rows: [], note: "") }
    let modelByteCount = plan.modelByteCount
    let byteCounts =
      budgets.isEmpty
      ? standardBudgets(
        smallest: prepared.plan.smallestBudgetByteCount, experts: plan.expertByteCount)
      : budgets.map { $0.byteCount(of: modelByteCount) }
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
    return BudgetTable(
      plan: plan, rows: rows,
      note: (notes + [result.warning].compactMap(\.self)).joined(separator: "; "))
  }

  /// The smallest budget, and with parts of the experts more; in whole MiB, from 1 GiB on in
  /// quarters of a GiB.
  static func standardBudgets(smallest: Int, experts: Int) -> [Int] {
    [0, 0.125, 0.25, 0.5, 0.75, 1].map { share in
      let wanted = smallest + Int(share * Double(experts))
      let unit = wanted >= 1 << 30 && share > 0 ? 1 << 28 : 1 << 20
      return (wanted + unit - 1) / unit * unit
    }
  }
}
