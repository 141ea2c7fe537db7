package import MoECore

/// What a source did, by phase. Differences of two values give what happened in between.
package struct ExpertStatistics: Sendable, Equatable {
  package struct Counts: Sendable, Equatable {
    /// Expert requests: one per expert, layer and step.
    package var requestCount = 0
    /// Requests that found the expert in memory.
    package var hitCount = 0
    /// Bytes read from disk, alignment and vain prefetches included.
    package var readByteCount = 0
    /// Misses whose expert had been prefetched, or was on its way.
    package var prefetchedCount = 0
    /// Experts that were prefetched, wanted or not.
    package var prefetchCount = 0
    /// The bytes of these.
    package var prefetchByteCount = 0
    /// Bytes of experts that were prefetched and given up without having been asked for, counted
    /// when they are given up.
    package var prefetchWastedByteCount = 0
    /// Experts that were predicted, one per layer and step, whether or not they had to be read; and
    /// those of them that the layer then asked for.
    package var guessCount = 0
    package var rightGuessCount = 0
    /// Requests that copies in fewer bits have answered, which are none of the others, and experts
    /// of those that were read behind them.
    package var lowCount = 0
    package var behindCount = 0
    /// Time during which the driver waited for experts with nothing left to compute.
    package var stallNanoseconds: UInt64 = 0

    package init() {}

    package static func + (left: Counts, right: Counts) -> Counts {
      left.combined(with: right, &+, &+)
    }

    package static func - (left: Counts, right: Counts) -> Counts {
      left.combined(with: right, &-, &-)
    }

    private func combined(
      with other: Counts, _ operation: (Int, Int) -> Int, _ onTimes: (UInt64, UInt64) -> UInt64
    ) -> Counts {
      var counts = self
      for path in Self.paths {
        counts[keyPath: path] = operation(self[keyPath: path], other[keyPath: path])
      }
      counts.stallNanoseconds = onTimes(stallNanoseconds, other.stallNanoseconds)
      return counts
    }

    /// All but the time.
    private static let paths: [any WritableKeyPath<Counts, Int> & Sendable] = [
      \.requestCount, \.hitCount, \.readByteCount, \.prefetchedCount, \.prefetchCount,
      \.prefetchByteCount, \.prefetchWastedByteCount, \.guessCount, \.rightGuessCount,
      \.lowCount, \.behindCount,
    ]
  }

  package var prefill = Counts()
  package var decode = Counts()

  package init() {}

  package subscript(phase: InferencePhase) -> Counts {
    get { phase == .prefill ? prefill : decode }
    set { if phase == .prefill { prefill = newValue } else { decode = newValue } }
  }

  package static func + (left: ExpertStatistics, right: ExpertStatistics) -> ExpertStatistics {
    var statistics = ExpertStatistics()
    statistics.prefill = left.prefill + right.prefill
    statistics.decode = left.decode + right.decode
    return statistics
  }

  package static func - (left: ExpertStatistics, right: ExpertStatistics) -> ExpertStatistics {
    var statistics = ExpertStatistics()
    statistics.prefill = left.prefill - right.prefill
    statistics.decode = left.decode - right.decode
    return statistics
  }
}
