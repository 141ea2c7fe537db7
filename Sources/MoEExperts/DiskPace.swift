import MoECore

/// How fast the disk is while it is waited for, and how long it has nothing to do between the reads
/// of one layer and those of the next; both measured while decoding.
struct DiskPace {
  /// Weight of a new measurement.
  private static let freshness = 1.0 / 16

  /// 0 as long as the disk has kept nobody waiting.
  private(set) var nanosecondsPerByte = 0.0
  private(set) var idleNanoseconds = 0.0
  private var stepStart: UInt64 = 0
  private var stepByteCount = 0
  private var readsEnd: UInt64 = 0

  /// A layer's reads begin; the reader has read `byteCount` in all.
  mutating func beginStep(byteCount: Int) {
    let now = MonotonicClock.nanoseconds()
    if readsEnd > 0 { idleNanoseconds = mixed(idleNanoseconds, Double(now - readsEnd)) }
    stepStart = now
    stepByteCount = byteCount
    readsEnd = now
  }

  /// The last of a layer's reads is done. If it `wasWaitedFor`, the disk was the slower one.
  mutating func endReads(byteCount: Int, wasWaitedFor: Bool) {
    readsEnd = MonotonicClock.nanoseconds()
    guard wasWaitedFor, byteCount > stepByteCount else { return }
    let pace = Double(readsEnd - stepStart) / Double(byteCount - stepByteCount)
    nanosecondsPerByte = mixed(nanosecondsPerByte, pace)
  }

  /// The next step is no neighbour of the last.
  mutating func pause() { readsEnd = 0 }

  private func mixed(_ old: Double, _ new: Double) -> Double {
    old == 0 ? new : old + (new - old) * Self.freshness
  }

  /// How likely a guess must be to be worth reading, as the last of `byteCount` bytes of guesses.
  ///
  /// If it is right, reading it now saves at most the time that the disk would idle. If it is
  /// wrong, what is needed waits for the rest of it. With a reading time T and an idle time I that
  /// is p * I against (1 - p) * (T - I).
  func leastProbability(byteCount: Int) -> Double {
    let reading = nanosecondsPerByte * Double(byteCount)
    guard reading > idleNanoseconds else { return 0 }
    return 1 - idleNanoseconds / reading
  }
}
