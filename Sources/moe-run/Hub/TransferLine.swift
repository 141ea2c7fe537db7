#if TLS
  import MoECore
  import MoEHub
  import Synchronization

  /// How far a download is, how fast it goes and how long it takes yet, on a terminal.
  final class TransferLine: Sendable {
    private let bar: ProgressBar
    private let rate: SharedRate

    private final class SharedRate: Sendable {
      let state = Mutex(TransferRate())
    }

    init(isQuiet: Bool) {
      let rate = SharedRate()
      self.rate = rate
      bar = ProgressBar("downloading", isQuiet: isQuiet) { done, total in
        let rest = rate.state.withLock { $0.text(restByteCount: total - done) }
        return ProgressBar.sizes(done, total) + (rest.map { ", " + $0 } ?? "")
      }
    }

    func update(_ progress: TransferProgress) {
      let now = MonotonicClock.nanoseconds()
      rate.state.withLock { $0.add(progress.receivedByteCount, at: now) }
      bar.update(progress.heldByteCount, progress.byteCount)
    }

    func erase() { bar.erase() }
  }
#endif
