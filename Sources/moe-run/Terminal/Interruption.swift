import MoECore
private import Synchronization

#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Ctrl-C and SIGTERM: the first one asks the work to end, the second ends the program at once.
///
/// The signals are blocked everywhere and the main thread waits for them, so that what they set off
/// is ordinary code, free of a signal handler's restrictions.
enum Interruption {
  private struct State {
    var received: Int32?
    var receivedAt: UInt64 = 0
    var stop: (@Sendable () -> Void)?
  }

  /// Who signals a process and then its group, as timeout(1) does, means it once.
  private static let echoNanoseconds: UInt64 = 100_000_000

  private static let state = Mutex(State())

  /// The signal that came, if one did.
  static var received: Int32? { state.withLock { $0.received } }

  /// Blocks the signals, so that `wait` alone gets them. Must run before any other thread is made:
  /// threads inherit which signals are blocked.
  static func install() {
    // A closed standard output is found out by the write that fails.
    signal(SIGPIPE, SIG_IGN)
    var signals = signalSet()
    unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
  }

  /// From now on the first signal calls `stop`, on the main thread, instead of ending the program;
  /// nil: it ends the program.
  static func onFirstSignal(_ stop: (@Sendable () -> Void)?) {
    state.withLock { $0.stop = stop }
  }

  /// Throws where a signal came: the work ended early because of it.
  static func check() throws(Failure) {
    if let received { throw .interrupted(signal: received) }
  }

  /// Takes signals until the program ends.
  static func wait() -> Never {
    var signals = signalSet()
    while true {
      var number: Int32 = 0
      guard unsafe sigwait(&signals, &number) == 0 else { continue }
      take(number)
    }
  }

  private static func take(_ signal: Int32) {
    let now = MonotonicClock.nanoseconds()
    let (isEcho, stop) = state.withLock { state in
      let isEcho = state.received != nil && now - state.receivedAt < echoNanoseconds
      defer { if !isEcho { state = State(received: signal, receivedAt: now, stop: nil) } }
      return (isEcho, state.stop)
    }
    if isEcho { return }
    guard let stop else {
      ProgressBar.eraseAny()
      RawTerminal.end()
      _exit(128 + signal)
    }
    stop()
  }

  private static func signalSet() -> sigset_t {
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGINT)
    unsafe sigaddset(&signals, SIGTERM)
    return signals
  }
}
