private import Synchronization

#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Ctrl-C and SIGTERM: the first one asks the work to end, the second ends the program at once.
///
/// The signals are blocked everywhere and one thread waits for them, so that what they set off is
/// ordinary code, free of a signal handler's restrictions.
enum Interruption {
  private struct State {
    var received: Int32?
    var stop: (@Sendable () -> Void)?
  }

  private static let state = Mutex(State())

  /// The signal that came, if one did.
  static var received: Int32? { state.withLock { $0.received } }

  /// Must run before any other thread is made: threads inherit which signals are blocked.
  static func install() {
    // A closed standard output is found out by the write that fails.
    signal(SIGPIPE, SIG_IGN)
    var signals = signalSet()
    unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    var thread = pthread_t()
    let code = unsafe pthread_create(
      &thread, nil,
      { _ in
        Interruption.wait()
        return nil
      }, nil)
    // Without the thread, signals do what they do by default.
    if code != 0 { unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil) }
  }

  /// From now on the first signal calls `stop`, on a thread of its own, instead of ending the program.
  static func onFirstSignal(_ stop: @escaping @Sendable () -> Void) {
    state.withLock { $0.stop = stop }
  }

  /// Throws where a signal came: the work ended early because of it.
  static func check() throws(Failure) {
    if let received { throw .interrupted(signal: received) }
  }

  private static func wait() {
    var signals = signalSet()
    while true {
      var number: Int32 = 0
      guard unsafe sigwait(&signals, &number) == 0 else { continue }
      let received = number
      let stop = state.withLock { state in
        defer { state = State(received: received, stop: nil) }
        return state.stop
      }
      guard let stop else {
        ProgressBar.eraseAny()
        _exit(128 + received)
      }
      stop()
    }
  }

  private static func signalSet() -> sigset_t {
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGINT)
    unsafe sigaddset(&signals, SIGTERM)
    return signals
  }
}
