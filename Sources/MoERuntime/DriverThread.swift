#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif
import MoECore
import MoEPlatform
private import Synchronization

/// The one thread that owns a model's decoder, ring and pool.
///
/// Work is handed to it as closures that it runs in order; the rings' interfaces and the worker
/// team want a single caller, and an actor may run on a different thread each time. Between jobs it
/// goes on with what they have begun, a step at a time.
final class DriverThread: Sendable {
  private struct Job {
    /// Whose job it is; nil: nobody can take it back.
    var request: CancellationFlag?
    /// Whether its turn may have come; nil: it may go before those that wait. Asked on the thread.
    var isReady: (@Sendable () -> Bool)?
    var run: @Sendable () -> Void
    /// Called in place of `run` where the request is cancelled before its turn.
    var withdraw: @Sendable () -> Void = {}
  }

  private struct State {
    var jobs: [Job] = []
    var isStopping = false

    var waitingCount: Int { jobs.count { $0.request != nil } }

    /// The next job whose turn has come. Those that must be ready for it keep their order.
    mutating func takeReady() -> Job? {
      var isBlocked = false
      for (index, job) in jobs.enumerated() {
        if let isReady = job.isReady {
          if isBlocked { continue }
          if !isReady() {
            isBlocked = true
            continue
          }
        }
        return jobs.remove(at: index)
      }
      return nil
    }
  }

  private let state = Mutex(State())
  private let wake: CountingSemaphore
  /// Goes on with what jobs have begun; false where there is nothing.
  private let step: @Sendable () -> Bool

  init(step: @escaping @Sendable () -> Bool) throws(EngineError) {
    let wake = CountingSemaphore()
    self.wake = wake
    self.step = step
    let body = unsafe Unmanaged.passRetained(ThreadBody(self)).toOpaque()
    var thread = pthread_t()
    var attributes = pthread_attr_t()
    unsafe pthread_attr_init(&attributes)
    defer { unsafe pthread_attr_destroy(&attributes) }
    unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    let code = unsafe pthread_create(
      &thread, &attributes,
      { argument in
        guard let argument = unsafe argument else { return nil }
        unsafe Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
        return nil
      }, body)
    guard code == 0 else {
      unsafe Unmanaged<ThreadBody>.fromOpaque(body).release()
      throw .outOfMemory(
        "the system refused a thread (error \(code)); close other programs or raise its limits")
    }
  }

  /// Runs jobs until `stop`. Holds the queue, not the engine: an engine that is let go stops it.
  private final class ThreadBody {
    let driver: DriverThread
    init(_ driver: DriverThread) { self.driver = driver }

    func run() {
      // Signals are for the program's main thread.
      var all = sigset_t()
      unsafe sigfillset(&all)
      unsafe pthread_sigmask(SIG_BLOCK, &all, nil)
      while true {
        let (job, isStopping) = driver.state.withLock { state in
          (state.takeReady(), state.isStopping && state.jobs.isEmpty)
        }
        if let job {
          job.run()
        } else if !driver.step() {
          if isStopping { return }
          driver.wake.wait()
        }
      }
    }
  }

  /// Runs a closure on the thread once it is ready, which is asked on the thread, and not before
  /// others that were handed over before and must be ready too.
  ///
  /// - Parameter isReady: Nil: as soon as the step in progress is done.
  func enqueue(
    when isReady: (@Sendable () -> Bool)?, _ job: @escaping @Sendable () -> Void
  ) {
    state.withLock { $0.jobs.append(Job(request: nil, isReady: isReady, run: job)) }
    wake.signal()
  }

  /// The same for a request, which may be cancelled before it has its turn: `onWithdrawal` is then
  /// called at once in place of the job, on the thread that cancels.
  ///
  /// - Parameter waitingMax: Requests that may wait, this one included.
  /// - Returns: False where as many wait already; the request is then not taken.
  func enqueue(
    for request: CancellationFlag, when isReady: (@Sendable () -> Bool)?, waitingMax: Int = .max,
    _ job: @escaping @Sendable () -> Void, onWithdrawal: @escaping @Sendable () -> Void
  ) -> Bool {
    let job = Job(request: request, isReady: isReady, run: job, withdraw: onWithdrawal)
    let isTaken = state.withLock { state in
      if waitingMax < .max, state.waitingCount >= waitingMax { return false }
      state.jobs.append(job)
      return true
    }
    guard isTaken else { return false }
    wake.signal()
    // Whoever cancelled before the job was in the queue did not find it.
    if request.isCancelled { cancel(request) }
    return true
  }

  /// Requests that wait for their turn.
  var waitingCount: Int { state.withLock { $0.waitingCount } }

  /// Cancels a request: one that runs ends soon, one that waits is gone.
  func cancel(_ request: CancellationFlag) {
    request.cancel()
    let job = state.withLock { state -> Job? in
      guard let index = state.jobs.firstIndex(where: { $0.request === request }) else {
        return nil
      }
      return state.jobs.remove(at: index)
    }
    job?.withdraw()
  }

  /// Ends the thread once it has run what was handed over.
  func stop() {
    state.withLock { $0.isStopping = true }
    wake.signal()
  }
}
