import MoECore
import MoEExperts
import MoEModel

extension EngineCore {
  /// Does one step of a generation and shows it on the timeline, if there is one, with what its
  /// experts cost.
  func timedStep<Value>(
    _ activity: TimelineActivity, position: Int, tokenCount: Int, _ body: () throws -> Value
  ) rethrows -> Value {
    guard let timeline, timeline.isRecording else { return try body() }
    let slice = timeline.begin(activity)
    let before = decoder.experts.statistics
    defer {
      let traffic = decoder.experts.statistics - before
      let counts = activity == .prefillChunk ? traffic.prefill : traffic.decode
      timeline.describe(
        slice, position: position, tokenCount: tokenCount, hitCount: counts.hitCount,
        missCount: counts.requestCount - counts.hitCount, byteCount: counts.readByteCount)
      timeline.end(slice)
    }
    return try body()
  }

  /// Writes what the last generation recorded.
  func writeTimeline(to write: (String) throws -> Void) throws -> TimelineSummary {
    guard let timeline else {
      throw EngineError.invalidOption(
        name: "the count of timeline events", wanted: "at least 1 for a timeline to be written",
        found: "\(options.timelineEventCount)")
    }
    try TraceEventWriter.write(timeline, to: write)
    return TimelineSummary(timeline)
  }
}

extension Engine {
  /// Writes the timeline of the last generation as JSON in the trace-event format, which Perfetto
  /// opens: what the driver and each worker computed, when they waited, and every read.
  ///
  /// Waits until the engine is free. Needs `EngineOptions.timelineEventCount`.
  ///
  /// - Parameter write: Takes the text in pieces, on the engine's thread; what it throws ends the
  ///   writing and is thrown as `EngineError.output`.
  /// - Returns: Where the time went. Empty where nothing was generated yet.
  public func writeTimeline(
    to write: @escaping @Sendable (String) throws -> Void
  ) async throws(EngineError) -> TimelineSummary {
    try await request { core, _ in
      try core.writeTimeline { piece in
        do { try write(piece) } catch { throw EngineError.output(error) }
      }
    }
  }
}
