import Foundation
import MoECore
import MoERuntime
import MoETestSupport
import Testing

@Suite struct MemoryBudgetTests {
  private let gibibyte = 1 << 30

  private func budget(
    _ text: String? = nil, available: Int? = nil, process: Int = 0, limit: Int? = nil
  ) throws -> MemoryBudget {
    let specification = try text.map { try SizeSpecification(parsing: $0) }
    let folder = try TemporaryFolder()
    if let limit {
      try Data("\(limit)".utf8).write(to: folder.url.appending(path: "memory.max"))
    }
    let group = MemoryCGroup(
      membership: "0::/", mounts: "1 1 0:1 / \(folder.url.path) rw - cgroup2 cgroup2 rw")
    return MemoryBudget(
      specification, modelByteCount: 10 * gibibyte, processByteCount: process,
      availableByteCount: available, group: group)
  }

  @Test func theUsersWordCounts() throws {
    let size = try budget("8G", available: gibibyte, limit: gibibyte)
    #expect(size.byteCount == 8 * gibibyte && size.basis == .user && size.note == "as given")
    let share = try budget("40%")
    #expect(share.byteCount == 4 * gibibyte && share.basis == .user)
    #expect(share.note.contains("40.0%") && share.note.contains("10.0 GiB"))
  }

  @Test func availableMemoryLessAReserveIsTheDefault() throws {
    let found = try budget(available: 10 * gibibyte)
    #expect(found.byteCount == 10 * gibibyte - gibibyte / 2 && found.basis == .measured)
    #expect(found.note.hasPrefix("available memory"))
  }

  @Test func whatThisProcessHoldsIsAvailableToIt() throws {
    let found = try budget(available: 9 * gibibyte, process: gibibyte)
    #expect(found.byteCount == 10 * gibibyte - gibibyte / 2)
  }

  @Test(arguments: [(256 << 20, 64 << 20), (4 << 30, (4 << 30) / 20), (100 << 30, 1 << 30)])
  func theReserveHasBounds(available: Int, reserve: Int) throws {
    #expect(try budget(available: available).byteCount == available - reserve)
  }

  @Test func aTighterLimitOfTheGroupCounts() throws {
    let found = try budget(available: 100 * gibibyte, limit: 2 * gibibyte)
    #expect(found.byteCount == 2 * gibibyte - 2 * gibibyte / 20)
    #expect(found.note.hasPrefix("cgroup limit (memory.max)"))
    let loose = try budget(available: gibibyte, limit: 2 * gibibyte)
    #expect(loose.note.hasPrefix("available memory"))
  }

  @Test func aBudgetIsNeverNegative() throws {
    #expect(try budget(available: 5 << 20).byteCount == 0)
    #expect(try budget(available: gibibyte, limit: 0).byteCount == 0)
  }

  @Test func whereNothingIsKnownFourGibibytesAreAssumed() throws {
    let found = try budget()
    #expect(found.byteCount == 4 * gibibyte - 4 * gibibyte / 20)
    #expect(found.basis == .default)
    #expect(found.note.hasPrefix("the system does not say what is available"))
  }
}
