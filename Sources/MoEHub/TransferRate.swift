#if TLS
  import MoECore

  /// How fast something comes, over the last seconds.
  package struct TransferRate: Sendable {
    private struct Sample {
      let byteCount: Int
      let nanoseconds: UInt64
    }

    private static let interval: UInt64 = 500_000_000
    /// Eight seconds: long enough to be steady, short enough to follow.
    private static let sampleCountMax = 17

    /// Oldest first, at least `interval` apart.
    private var samples: [Sample] = []
    private var last: Sample?

    package init() {}

    /// - Parameters:
    ///   - byteCount: All that has come until now.
    ///   - nanoseconds: Of a clock that never goes back.
    package mutating func add(_ byteCount: Int, at nanoseconds: UInt64) {
      // Threads may come in another order than their readings of the clock.
      if let last, nanoseconds < last.nanoseconds { return }
      let sample = Sample(byteCount: byteCount, nanoseconds: nanoseconds)
      last = sample
      if let newest = samples.last, nanoseconds - newest.nanoseconds < Self.interval { return }
      samples.append(sample)
      if samples.count > Self.sampleCountMax { samples.removeFirst() }
    }

    /// Nil until half a second has gone by.
    package var bytesPerSecond: Double? {
      guard let first = samples.first, let last,
        last.nanoseconds >= first.nanoseconds + Self.interval
      else { return nil }
      let seconds = Double(last.nanoseconds - first.nanoseconds) * 1e-9
      return Double(last.byteCount - first.byteCount) / seconds
    }

    /// Such as `31.5 MiB/s, 2 min 5 s left`; nil until there is something to say.
    package func text(restByteCount: Int) -> String? {
      guard let rate = bytesPerSecond, rate >= 1 else { return nil }
      let seconds = Int(min(Double(restByteCount) / rate, 1e9).rounded(.up))
      return "\(ByteSize(Int(rate)))/s, \(Self.duration(seconds)) left"
    }

    private static func duration(_ seconds: Int) -> String {
      switch seconds {
      case ..<60: "\(seconds) s"
      case ..<3600: "\(seconds / 60) min \(seconds % 60) s"
      default: "\(seconds / 3600) h \(seconds % 3600 / 60) min"
      }
    }
  }
#endif
