internal import CMoEKernelsInterface
package import MoECore
private import Synchronization

/// A fixed team of threads, and the operations of a decoder layer that it runs.
///
/// The thread that calls an operation takes part in it, and the call returns when all is done. No
/// result depends on the number of workers. Operations too small to be worth a hand-over run on the
/// caller alone. Nothing allocates after creation.
@safe package final class WorkerTeam: Sendable {
  package let workerCount: Int
  /// The level of instructions that the operations use.
  package let instructionSet: InstructionSet
  // Sendable because the team is fixed and `isBusy` admits one caller at a time.
  private nonisolated(unsafe) let team: OpaquePointer
  nonisolated(unsafe) let operations: UnsafePointer<moe_operations>
  private let isBusy = Atomic(false)
  /// Of `forEachPiece`: the next that nobody has taken.
  private let nextPiece = Atomic(0)
  /// Where the times of operations go.
  package let timeline: Timeline?

  /// The largest team that can be asked for.
  package static let workerCountMax = 256

  /// - Parameters:
  ///   - workerCount: threads that compute, the caller among them, 1 to `workerCountMax`.
  ///   - timeline: made for as many workers; receives the times of all operations.
  ///   - spinsBriefly: for a process whose processor time is limited: waiting threads then leave it
  ///     to those that compute.
  package convenience init(
    workerCount: Int, timeline: Timeline? = nil, spinsBriefly: Bool = false
  ) throws(WorkerTeamError) {
    unsafe try self.init(
      workerCount, operations: moe_operations_current(), .current, timeline: timeline,
      spinsBriefly: spinsBriefly)
  }

  /// A team that uses one level of instructions, for comparing levels; nil where this machine or
  /// build has no operations of that level.
  package convenience init?(
    workerCount: Int, instructionSet: InstructionSet
  ) throws(WorkerTeamError) {
    guard let operations = unsafe moe_operations_at(instructionSet.cValue) else { return nil }
    unsafe try self.init(workerCount, operations: operations, instructionSet)
  }

  private init(
    _ workerCount: Int, operations: UnsafePointer<moe_operations>,
    _ instructionSet: InstructionSet, timeline: Timeline? = nil, spinsBriefly: Bool = false
  ) throws(WorkerTeamError) {
    guard workerCount >= 1, workerCount <= Self.workerCountMax else {
      throw WorkerTeamError.countOutOfRange(workerCount)
    }
    guard let team = unsafe moe_team_create(UInt32(workerCount), spinsBriefly ? 1 : 0) else {
      throw WorkerTeamError.threadsUnavailable(workerCount)
    }
    precondition(timeline == nil || timeline?.workerCount == workerCount)
    self.timeline = timeline
    self.workerCount = workerCount
    self.instructionSet = instructionSet
    unsafe self.team = team
    unsafe self.operations = operations
  }

  deinit { unsafe moe_team_destroy(team) }

  /// Runs an operation and tells the timeline: on the whole team, or on the caller alone where
  /// `cost`, roughly the nanoseconds that one thread takes, is less than what a hand-over may take.
  /// `pieces`: into how many parts a worker's share is cut, which other workers may take.
  @inline(__always)
  func run<Job>(
    _ operation: moe_op, _ job: Job, cost: Int, pieces: Int = 1, as activity: TimelineActivity
  ) {
    let timeline = timeline?.isRecording == true ? timeline : nil
    let start = timeline == nil ? 0 : MonotonicClock.nanoseconds()
    let isShared = cost >= Self.handOverNanoseconds && workerCount > 1
    unsafe withUnsafePointer(to: job) { job in
      if isShared {
        // A second caller, or an operation started by an operation, would overwrite the job.
        let wasBusy = isBusy.exchange(true, ordering: .acquiring)
        precondition(!wasBusy, "one operation at a time")
        unsafe moe_team_run(team, operation, job, UInt32(pieces), timeline?.shareTimes)
        isBusy.store(false, ordering: .releasing)
      } else {
        unsafe operation(job, 0, 1)
      }
    }
    timeline?.add(activity, from: start, isShared: isShared)
  }

  /// What `forEachPiece` hands to the workers.
  @safe private struct PieceJob {
    let body: (_ piece: Int, _ worker: Int) -> Void
    let count: Int
    let team: Unmanaged<WorkerTeam>
  }

  /// Calls `body` for each of `count` pieces of work, on whichever worker takes it next, and
  /// returns when all are done.
  ///
  /// - Parameter cost: Roughly the nanoseconds that one thread takes for all.
  package func forEachPiece(
    count: Int, cost: Int, as activity: TimelineActivity = .preparation,
    _ body: (_ piece: Int, _ worker: Int) -> Void
  ) {
    nextPiece.store(0, ordering: .relaxed)
    withoutActuallyEscaping(body) { body in
      let job = unsafe PieceJob(body: body, count: count, team: .passUnretained(self))
      unsafe run(
        { argument, worker, _ in
          guard let argument = unsafe argument else { return }
          let job = unsafe argument.assumingMemoryBound(to: PieceJob.self)
          let (count, team) = unsafe (job.pointee.count, job.pointee.team)
          while true {
            let piece = unsafe team._withUnsafeGuaranteedRef {
              $0.nextPiece.wrappingAdd(1, ordering: .relaxed).oldValue
            }
            guard piece < count else { return }
            unsafe job.pointee.body(piece, Int(worker))
          }
        }, job, cost: cost, as: activity)
    }
  }

  /// A hand-over to spinning threads and back takes less than a microsecond where every thread has
  /// a processor, and some ten where one must be woken. In between, so that neither loses much.
  private static let handOverNanoseconds = 4_000
}

package enum WorkerTeamError: Error, Equatable, CustomStringConvertible {
  case countOutOfRange(Int)
  case threadsUnavailable(Int)

  package var description: String {
    switch self {
    case .countOutOfRange(let count):
      "thread count is \(count); give 1 to \(WorkerTeam.workerCountMax)"
    case .threadsUnavailable(let count):
      "the system refused \(count) threads; give fewer, or raise the limit of processes (ulimit -u)"
    }
  }
}
