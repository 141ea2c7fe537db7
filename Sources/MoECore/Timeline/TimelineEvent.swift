/// What a stretch of time on a timeline was spent on.
package enum TimelineActivity: UInt8, Sendable, CaseIterable, BitwiseCopyable {
  // Slices that hold others.
  case prefillChunk, token, layer
  // Operations, shared among the workers or on the driver alone.
  case embed, normalize, quantize, queryKeyValue, rotate, appendKeyValue, attention
  case convolution, recurrence
  case attentionOutput, router, predict, gateUp, activate, down, gather, weightedSum, add
  case scale, output, product
  // Work of the driver alone.
  case positions, select, sample
  /// Cache look-ups, evictions, submitting and taking reads.
  case request
  /// Nothing to compute until the disk delivers.
  case diskWait
  /// One expert from submission until the driver took it, or until it was withdrawn.
  case read, withdrawnRead
  /// Before recording starts: memory that is made ready.
  case preparation

  /// Whether this is computation, as opposed to slices that hold others, and to everything about
  /// reads.
  package var isCompute: Bool {
    switch self {
    case .prefillChunk, .token, .layer, .request, .diskWait, .read, .withdrawnRead, .preparation:
      false
    default: true
    }
  }
}

/// One stretch of time on one track. Fixed in size; which fields mean something depends on the
/// activity.
package struct TimelineEvent: Sendable, BitwiseCopyable {
  package enum Place: UInt8, Sendable, BitwiseCopyable {
    /// The driver's track: slices of steps and layers, and in these what it did.
    case driver
    /// One worker's share of an operation.
    case worker
    /// A lane of reads: none overlaps another of the same lane.
    case readLane
  }

  /// Nanoseconds of the monotonic clock; an end of 0 means that it is still under way.
  package var start: UInt64
  package var end: UInt64
  package var activity: TimelineActivity
  package var place = Place.driver
  /// Whether a read was asked for ahead of its need.
  package var isPrefetch = false
  /// Which worker, or which lane.
  package var track: UInt16 = 0
  /// -1 where it belongs to no layer.
  package var layer: Int16
  /// Position of a step's first token, or the expert that is read; -1 where neither.
  package var number: Int32 = -1
  package var tokenCount: Int32 = 0
  package var hitCount: Int32 = 0
  package var missCount: Int32 = 0
  /// Bytes that a step or a read took from disk.
  package var byteCount = 0
}
