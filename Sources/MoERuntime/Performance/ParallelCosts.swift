package import MoECore
import MoEStore

/// A run with one of several counts of texts at a time, with what its parts cost: one line of a
/// table of speeds.
package struct ParallelCosts: Sendable {
  /// Texts that a step has a row of each.
  package let textCount: Int
  package let memory: MemoryPlan
  package let costs: RunCosts
}

/// One model with several counts of texts at a time, on one measurement of the machine.
package struct ParallelTable: Sendable {
  /// Of a run of one text at a time.
  package let plan: RunPlan
  /// Ascending by the count of texts.
  package let rows: [ParallelCosts]
  /// The least of the counts that the budget does not hold; nil where it holds all.
  package let refusedTextCount: Int?
  /// Where in a text decoding is looked at.
  package let position: Int
  /// When the machine was measured, and whether the result could be kept.
  package let note: String
}

extension Engine {
  /// Texts at a time that a run may have at most (`EngineOptions.parallelRequestCount`).
  package static let parallelRequestCountMax = 256

  /// 1, 2, 4 and so on up to a most, which is among them.
  package static func parallelCounts(upTo most: Int) -> [Int] {
    let most = min(max(1, most), parallelRequestCountMax)
    var counts = [1]
    while counts[counts.count - 1] * 2 < most { counts.append(counts[counts.count - 1] * 2) }
    return most > 1 ? counts + [most] : counts
  }

  /// What a step costs with each of several counts of texts, all of them with the same context. The
  /// machine is measured once, in at most 10 seconds unless kept from before.
  ///
  /// - Parameters:
  ///   - counts: Ascending, from 1 on.
  ///   - position: Where in a text decoding is looked at; nil: 512. At most the context counts.
  ///   - probe: Never `.none`.
  package static func parallelCosts(
    modelAt path: String, options: EngineOptions, counts: [Int], position: Int?,
    probe: ProbeMode, environment: [String: String]
  ) throws(EngineError) -> ParallelTable {
    var options = options
    options.parallelRequestCount = 1
    var prepared = try PreparedRun(path: path, options: options)
    guard prepared.plan.fits else { throw .budgetTooSmall(prepared.plan) }
    let (result, note, isNew) = try prepared.measured(probe, environment: environment)
    // Measuring has made the process larger, which a plan counts.
    if isNew { prepared = try PreparedRun(path: path, options: options) }
    let plan = prepared.runPlan(storeReport: try prepared.makeReader().report)
    let position = min(position ?? 512, plan.memory.contextLength)
    var rows: [ParallelCosts] = []
    var refusedTextCount: Int?
    for count in counts {
      let memory = try prepared.plan(parallelRequestCount: count)
      guard memory.fits else {
        refusedTextCount = count
        break
      }
      rows.append(
        ParallelCosts(
          textCount: count, memory: memory,
          costs: prepared.costs(
            prepared.header.tensors, plan: memory, at: position, sequences: count,
            probe: result)))
    }
    return ParallelTable(
      plan: plan, rows: rows, refusedTextCount: refusedTextCount, position: position, note: note)
  }
}
