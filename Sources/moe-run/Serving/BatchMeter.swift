#if Server
  import MoECore
  import MoEReport
  import MoEServer
  import Synchronization

  /// Shows how far a batch has come: a bar on a terminal, else a line now and then.
  final class BatchMeter: Sendable {
    private let bar: ProgressBar
    private let writesLines: Bool
    private let lineAt = Mutex(MonotonicClock.nanoseconds())

    private static let lineInterval: UInt64 = 60_000_000_000

    init(isQuiet: Bool) {
      bar = ProgressBar("batch", isQuiet: isQuiet)
      writesLines = !isQuiet && !StandardError.isTerminal
    }

    /// Safe from any thread.
    func update(_ progress: BatchProgress) {
      bar.update(progress.doneCount, progress.totalCount) { Self.text(progress) }
      guard writesLines else { return }
      let now = MonotonicClock.nanoseconds()
      let isDue = lineAt.withLock { last in
        guard now - last >= Self.lineInterval else { return false }
        last = now
        return true
      }
      if isDue { StandardError.write("moe-run: \(Self.text(progress))\n") }
    }

    func erase() { bar.erase() }

    private static func text(_ progress: BatchProgress) -> String {
      let speed = Decimals.text(progress.tokensPerSecond, 1)
      let left = progress.secondsLeft.map { ", \(time($0)) left" } ?? ""
      return "\(progress.doneCount) of \(progress.totalCount) requests, \(speed) t/s\(left)"
    }

    /// What a run has done.
    static func summary(_ progress: BatchProgress) -> String {
      let count = progress.doneCount - progress.doneBeforeCount
      return "batch \(progress.doneCount) of \(progress.totalCount) requests done, \(count) now"
        + " in \(time(progress.seconds)), \(progress.errorCount) with errors; "
        + "\(progress.generatedTokenCount) tokens, \(Decimals.text(progress.tokensPerSecond, 1))"
        + " t/s; prompts \(progress.promptTokenCount) tokens, \(progress.cachedTokenCount) known"
        + " from others"
    }

    private static func time(_ seconds: Double) -> String {
      guard seconds < 1e9 else { return "years" }
      if seconds < 60 { return Decimals.text(seconds, 1) + " s" }
      let minutes = Int((seconds / 60).rounded())
      return minutes < 60 ? "\(minutes) min" : "\(minutes / 60) h \(minutes % 60) min"
    }
  }
#endif
