import MoECore
private import Synchronization

/// A line on a terminal that shows how far something is, and leaves nothing behind.
///
/// It appears only after a third of a second, so that short work does not flicker, and is redrawn
/// at most ten times a second. Where standard error is no terminal, it does nothing.
final class ProgressBar: Sendable {
  private struct State {
    let start = MonotonicClock.nanoseconds()
    var lastDraw: UInt64 = 0
  }

  /// Whether a bar is on the screen now.
  private static let isShown = Mutex(false)
  private static let delay: UInt64 = 300_000_000
  private static let interval: UInt64 = 100_000_000
  private static let cellCount = 30

  private let title: String
  private let format: @Sendable (_ done: Int, _ total: Int) -> String
  private let isEnabled: Bool
  private let state = Mutex(State())

  /// - Parameter format: The text after the bar.
  init(
    _ title: String, isQuiet: Bool = false,
    format: @escaping @Sendable (_ done: Int, _ total: Int) -> String = { "\($0) of \($1)" }
  ) {
    self.title = title
    self.format = format
    isEnabled = !isQuiet && StandardError.isTerminal
  }

  /// Safe from any thread.
  func update(_ done: Int, _ total: Int) { update(done, total) { format(done, total) } }

  /// The same with another text behind the bar.
  func update(_ done: Int, _ total: Int, text: () -> String) {
    guard isEnabled, total > 0 else { return }
    let now = MonotonicClock.nanoseconds()
    let isDue = state.withLock { state in
      guard now - state.start >= Self.delay, now - state.lastDraw >= Self.interval else {
        return false
      }
      state.lastDraw = now
      return true
    }
    guard isDue else { return }
    let share = min(1, max(0, Double(done) / Double(total)))
    let filled = Int(share * Double(Self.cellCount))
    let cells =
      String(repeating: "#", count: filled)
      + String(repeating: ".", count: Self.cellCount - filled)
    let line = "\(title) [\(cells)] \(Int(share * 100)) %, \(text())"
    Self.isShown.withLock { isShown in
      isShown = true
      StandardError.write("\r\u{1B}[K\(line)")
    }
  }

  /// Takes the bar off the screen.
  func erase() { Self.eraseAny() }

  /// Takes whatever bar there is off the screen.
  static func eraseAny() {
    isShown.withLock { isShown in
      if isShown { StandardError.write("\r\u{1B}[K") }
      isShown = false
    }
  }
}

extension ProgressBar {
  /// Progress in bytes.
  static let sizes: @Sendable (_ done: Int, _ total: Int) -> String = {
    "\(ByteSize($0)) of \(ByteSize($1))"
  }
}
