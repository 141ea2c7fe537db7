import MoECore
import MoEKernels
import MoETestSupport
import Testing

@Suite struct TeamTests {
  /// Large enough that an addition is handed to the team.
  private let count = 40_000

  @Test(arguments: 1...8) func everyRunDoesAllWorkExactlyOnce(_ workers: Int) throws {
    let team = try WorkerTeam(workerCount: workers)
    let (x, y) = (Floats(count: count), Floats(count: count) { Float($0 % 7) })
    let runs = 12_500
    for _ in 0..<runs { team.add(y.view, to: x.view) }
    #expect(x.array == (0..<count).map { Float($0 % 7 * runs) })
    #expect(x.guardsAreIntact)
  }

  @Test func workersThatSleptWakeUp() throws {
    let team = try WorkerTeam(workerCount: 3)
    let (x, y) = (Floats(count: count), Floats(count: count) { _ in 1 })
    for _ in 0..<50 {
      // Several times longer than workers spin.
      let end = MonotonicClock.nanoseconds() + 2_000_000
      while MonotonicClock.nanoseconds() < end {}
      team.add(y.view, to: x.view)
    }
    #expect(x.array.allSatisfy { $0 == 50 })
  }

  @Test func teamsAreIndependentAndEndInAnyOrder() throws {
    let (x, y) = (Floats(count: count), Floats(count: count) { _ in 1 })
    for _ in 0..<100 {
      var first: WorkerTeam? = try WorkerTeam(workerCount: 4)
      let second = try WorkerTeam(workerCount: 3)
      first?.add(y.view, to: x.view)
      second.add(y.view, to: x.view)
      first = nil
      second.add(y.view, to: x.view)
    }
    #expect(x.array.allSatisfy { $0 == 300 })
  }

  @Test func teamsThatNeverRanEnd() throws {
    for workers in 1...16 { #expect(try WorkerTeam(workerCount: workers).workerCount == workers) }
  }

  @Test(arguments: [-1, 0, WorkerTeam.workerCountMax + 1, Int.max])
  func countsOutOfRangeAreRefused(_ workers: Int) {
    #expect(throws: WorkerTeamError.countOutOfRange(workers)) {
      try WorkerTeam(workerCount: workers)
    }
    #expect("\(WorkerTeamError.countOutOfRange(workers))".contains("\(workers)"))
  }

  @Test func levelsThatAreMissingGiveNoTeam() throws {
    #if arch(x86_64)
      #expect(try WorkerTeam(workerCount: 1, instructionSet: .neon) == nil)
    #else
      #expect(try WorkerTeam(workerCount: 1, instructionSet: .avx2) == nil)
    #endif
    #expect(try WorkerTeam(workerCount: 1, instructionSet: .scalar) != nil)
  }
}
