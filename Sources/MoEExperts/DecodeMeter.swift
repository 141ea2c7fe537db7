import MoECore

/// What decoding costs, step by step, for the trial that follows from it.
///
/// A step's time is up to the end of its last layer; that of a caller who takes his time between
/// steps is none of it.
struct DecodeMeter {
  private(set) var trial = PrefetchTrial()
  /// The step in progress, where it is one of decoding: when it began, and what had been waited
  /// until then.
  private var start: (nanoseconds: UInt64, stallNanoseconds: UInt64)?
  private var lastLayerEnd: UInt64 = 0
  private var missedByteCount = 0

  /// - Parameter stallNanoseconds: What decoding has waited for experts in all.
  mutating func beginStep(_ phase: InferencePhase, stallNanoseconds: UInt64) {
    endStep(stallNanoseconds: stallNanoseconds)
    guard phase == .decode else { return }
    start = (MonotonicClock.nanoseconds(), stallNanoseconds)
    // Of this step: what a prompt before it missed is none of the trial's.
    missedByteCount = 0
  }

  mutating func endLayer(missedByteCount byteCount: Int) {
    missedByteCount += byteCount
    lastLayerEnd = MonotonicClock.nanoseconds()
  }

  private mutating func endStep(stallNanoseconds: UInt64) {
    guard let start else { return }
    trial.end(
      PrefetchTrial.Cost(
        nanoseconds: max(lastLayerEnd, start.nanoseconds) - start.nanoseconds,
        stallNanoseconds: stallNanoseconds - start.stallNanoseconds,
        missedByteCount: missedByteCount))
    self.start = nil
  }
}
