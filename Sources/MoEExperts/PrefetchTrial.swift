/// Finds out whether prefetching pays on the disk at hand, by trying both while decoding.
///
/// It need not pay: a disk that is held to a rate, as cloud disks are, gives the time that it idled
/// back as a burst, so that nothing is won by keeping it busy and each wrong guess costs its bytes.
/// So a few tokens go without, a few with, twice over; what gave less waiting for each byte that
/// had to be read is kept for some hundred tokens, then tried again. Only timing follows from it:
/// neither results nor hits do.
package struct PrefetchTrial {
  /// Tokens of one window, windows of a trial, tokens until the next trial.
  package static let (windowTokenCount, windowCount, restTokenCount) = (8, 4, 256)
  /// How much less waiting is a gain, and not noise.
  private static let leastGain = 0.03
  /// Waiting below this share of the time leaves nothing to win.
  private static let leastWaitingShare = 0.02

  /// What a decoded token cost.
  package struct Cost {
    package var nanoseconds: UInt64
    package var stallNanoseconds: UInt64
    /// Bytes of the experts that were missed, prefetched or not.
    package var missedByteCount: Int

    package init(nanoseconds: UInt64 = 0, stallNanoseconds: UInt64 = 0, missedByteCount: Int = 0) {
      self.nanoseconds = nanoseconds
      self.stallNanoseconds = stallNanoseconds
      self.missedByteCount = missedByteCount
    }

    static func += (left: inout Cost, right: Cost) {
      left.nanoseconds += right.nanoseconds
      left.stallNanoseconds += right.stallNanoseconds
      left.missedByteCount += right.missedByteCount
    }
  }

  /// Whether to prefetch for the next token.
  package private(set) var isOn = false
  private var tokenCount = 0
  /// Of the windows without and with.
  package private(set) var costs = (off: Cost(), on: Cost())

  package init() {}

  /// A token has been decoded.
  package mutating func end(_ cost: Cost) {
    if tokenCount < Self.windowCount * Self.windowTokenCount {
      if isOn { costs.on += cost } else { costs.off += cost }
    }
    tokenCount += 1
    let trialTokenCount = Self.windowCount * Self.windowTokenCount
    if tokenCount < trialTokenCount {
      isOn = tokenCount / Self.windowTokenCount % 2 == 1
    } else if tokenCount == trialTokenCount {
      isOn = isWorthIt
    } else if tokenCount >= trialTokenCount + Self.restTokenCount {
      self = PrefetchTrial()
    }
  }

  private var isWorthIt: Bool {
    let (off, on) = costs
    guard off.missedByteCount > 0, on.missedByteCount > 0 else { return false }
    let waiting = Double(off.stallNanoseconds)
    guard waiting > Self.leastWaitingShare * Double(off.nanoseconds) else { return false }
    let perByte = (
      off: waiting / Double(off.missedByteCount),
      on: Double(on.stallNanoseconds) / Double(on.missedByteCount)
    )
    return perByte.on < (1 - Self.leastGain) * perByte.off
  }
}
