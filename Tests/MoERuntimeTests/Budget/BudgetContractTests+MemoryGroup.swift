import Foundation
import MoETestSupport
import Testing

extension BudgetContractTests {
  /// A memory cgroup counts more than the resident set: page tables, what the kernel keeps for the
  /// process, and pages of program files that it was the first to read.
  @Test(arguments: ["120%", "60%", "40%"], [1, 500])
  func aMemoryGroupIsChargedForNoMoreThanTheBudget(
    memory: String, promptTokenCount: Int
  ) async throws {
    let group = try makeGroup()
    try dropPageCache()
    let run = BudgetedRun(memory: memory, promptTokenCount: promptTokenCount)
    let (_, report) = try await run.requireSuccess(model: model, in: group)
    let peak = try group.peakByteCount()
    #expect(
      peak <= report.budgetBytes, "\(peak >> 10) KiB of \(report.budgetBytes >> 10) KiB charged")
    if memory != "120%" { #expect(Double(peak) >= 0.92 * Double(report.budgetBytes)) }
  }

  @Test(arguments: ["120%", "60%", "40%"], [500])
  func aGroupLimitedToTheBudgetKillsNothing(memory: String, promptTokenCount: Int) async throws {
    let group = try makeGroup()
    let fileByteCount = BudgetModel.description.estimatedByteCount
    let share = try #require(Double(memory.dropLast())) / 100
    try group.limit(to: Int(share * Double(fileByteCount)))
    try dropPageCache()
    let run = BudgetedRun(memory: memory, promptTokenCount: promptTokenCount)
    _ = try await run.requireSuccess(model: model, in: group)
    #expect(try group.killCount() == 0)
  }

  @Test(arguments: [300, 500])
  func withoutABudgetTheGroupsLimitIsKept(mebibytes: Int) async throws {
    let group = try makeGroup()
    try group.limit(to: mebibytes << 20)
    let run = BudgetedRun(memory: nil, promptTokenCount: 300)
    let (_, report) = try await run.requireSuccess(model: model, in: group)
    #expect(report.budgetBytes < mebibytes << 20)
    #expect(report.budgetBytes > (mebibytes - 80) << 20)
    #expect(try group.peakByteCount() <= report.budgetBytes)
    #expect(try group.killCount() == 0)
  }

  private func makeGroup() throws -> MemoryGroup {
    do {
      return try MemoryGroup()
    } catch let unavailable as MemoryGroup.Unavailable {
      try Test.cancel("\(unavailable)")
    }
  }

  private func dropPageCache() throws {
    do {
      try MemoryGroup.dropPageCache()
    } catch {
      try Test.cancel("the page cache cannot be dropped here: \(error)")
    }
  }
}
