import Foundation
import MoESynthetic
import MoETestSupport
import Testing

extension BudgetContractTests {
  private static let needsGroup = ConditionTrait.enabled(
    if: MemoryGroup.obstacle == nil,
    "\(MemoryGroup.obstacle ?? "")")

  /// A memory cgroup counts more than the resident set: page tables, what the kernel keeps for the
  /// process, and copies of program files that it was the first to read.
  @Test(needsGroup, arguments: ["120%", "60%", "40%"], [1, 500])
  func aMemoryGroupIsChargedForNoMoreThanTheBudget(
    memory: String, promptTokenCount: Int
  ) async throws {
    try await expectChargesWithinTheBudget(
      BudgetedRun(memory: memory, promptTokenCount: promptTokenCount))
  }

  @Test(needsGroup, arguments: ["60%", "40%"], ["auto", "buffered"])
  func programFilesThatNobodyElseReadArePartOfTheBudget(
    memory: String, store: String
  ) async throws {
    let folder = try TemporaryFolder()
    var run = BudgetedRun(memory: memory, promptTokenCount: 100)
    run.store = store
    run.cold = try ColdProgram(of: BudgetedRun.program, in: folder.url)
    try await expectChargesWithinTheBudget(run)
  }

  private func expectChargesWithinTheBudget(_ run: BudgetedRun) async throws {
    let group = try MemoryGroup()
    let (resident, report) = try await run.requireSuccess(model: model, in: group)
    let (peak, budget) = (try group.peakByteCount(), report.budgetBytes)
    #expect(peak <= budget, "\(peak >> 10) of \(budget >> 10) KiB charged with \(run)")
    // Libraries that others have read are resident, but not charged.
    let used = max(resident, peak)
    if run.memory != "120%" { #expect(Double(used) >= 0.92 * Double(budget), "\(run)") }
  }

  @Test(needsGroup, arguments: ["120%", "60%", "40%"])
  func aGroupLimitedToTheBudgetKillsNothing(memory: String) async throws {
    let folder = try TemporaryFolder()
    let group = try MemoryGroup()
    let share = try #require(Double(memory.dropLast())) / 100
    try group.limit(to: Int(share * Double(try BudgetModel.description.byteCount())))
    var run = BudgetedRun(memory: memory, promptTokenCount: 500)
    run.cold = try ColdProgram(of: BudgetedRun.program, in: folder.url)
    _ = try await run.requireSuccess(model: model, in: group)
    #expect(try group.killCount() == 0)
  }

  @Test(needsGroup, arguments: [300, 500])
  func withoutABudgetTheGroupsLimitIsKept(mebibytes: Int) async throws {
    let group = try MemoryGroup()
    try group.limit(to: mebibytes << 20)
    let run = BudgetedRun(memory: nil, promptTokenCount: 300)
    let (_, report) = try await run.requireSuccess(model: model, in: group)
    #expect(report.budgetBytes < mebibytes << 20)
    #expect(report.budgetBytes > (mebibytes - 80) << 20)
    #expect(try group.peakByteCount() <= report.budgetBytes)
    #expect(try group.killCount() == 0)
  }
}
