internal import CMoEKernelsInterface
package import MoECore

/// Consecutive rows of a step that belong to one sequence, and what one layer keeps of it from step
/// to step. A step's rows are those of its segments, one after the other.
package struct StateSegment {
  /// As the rows before have left it.
  package var source: FloatView
  /// Where it goes as these rows leave it; may be the source.
  package var target: FloatView
  /// At least 1.
  package var rowCount: Int

  package init(source: FloatView, target: FloatView, rowCount: Int) {
    precondition(source.count == target.count && rowCount >= 1)
    self.source = source
    self.target = target
    self.rowCount = rowCount
  }
}

/// A depthwise convolution over a sequence's rows.
package struct ConvolutionShape: Sendable, Hashable {
  package var channelCount: Int
  /// Rows that it sees, the present one among them.
  package var tapCount: Int

  package static let tapCountMax = Int(MOE_CONVOLUTION_TAPS_MAX)

  package init(channelCount: Int, tapCount: Int) {
    precondition(channelCount > 0 && (1...Self.tapCountMax).contains(tapCount))
    self.channelCount = channelCount
    self.tapCount = tapCount
  }

  /// Floats that a sequence keeps: (tapCount - 1, channelCount).
  package var stateCount: Int { (tapCount - 1) * channelCount }
}

/// Memories of a sequence's heads, which decay from row to row, and to which each row adds.
package struct RecurrenceShape: Sendable, Hashable {
  package var headCount: Int
  /// Keys and queries are shared by heads; divides `headCount`.
  package var keyHeadCount: Int
  package var keyDimension: Int
  package var valueDimension: Int

  package init(headCount: Int, keyHeadCount: Int, keyDimension: Int, valueDimension: Int) {
    precondition(keyHeadCount > 0 && headCount > 0 && headCount % keyHeadCount == 0)
    precondition(keyDimension > 0 && valueDimension > 0)
    self.headCount = headCount
    self.keyHeadCount = keyHeadCount
    self.keyDimension = keyDimension
    self.valueDimension = valueDimension
  }

  private static let laneCount = Int(MOE_RECURRENCE_LANES)

  /// Floats that a sequence keeps: (head, block of values, key, value of the block).
  package var stateCount: Int {
    let blockCount = (valueDimension + Self.laneCount - 1) / Self.laneCount
    return headCount * blockCount * keyDimension * Self.laneCount
  }

  package var keyWidth: Int { keyHeadCount * keyDimension }
  package var valueWidth: Int { headCount * valueDimension }
}

/// How a row changes a head's memory and what it reads of it.
package struct RecurrenceRule: Sendable, Hashable {
  /// Which key head a head has.
  package enum KeySharing: Sendable, Hashable, CaseIterable {
    /// Heads that follow each other share one.
    case grouped
    /// The first heads have one each, then the next ones again from the first.
    case cycled
  }

  package var keySharing: KeySharing
  /// Whether a row adds only what the memory does not yet say of its key: the delta rule.
  package var corrects: Bool
  /// Factors on queries and keys.
  package var queryScale: Float
  package var keyScale: Float

  package init(
    keySharing: KeySharing, corrects: Bool, queryScale: Float = 1, keyScale: Float = 1
  ) {
    self.keySharing = keySharing
    self.corrects = corrects
    self.queryScale = queryScale
    self.keyScale = keyScale
  }
}

/// What the rows of a step bring to a recurrence.
package struct RecurrenceInput {
  /// (row, keyHead, keyDimension), the same stride.
  package var queries: FloatRows
  package var keys: FloatRows
  /// (row, head, valueDimension)
  package var values: FloatRows
  /// (row, head): what is left of the memory.
  package var decays: FloatRows
  /// (row, head): how much of a row is added.
  package var factors: FloatRows
  /// (head): how much of its values a row passes on by itself.
  package var skips: FloatView?

  package init(
    queries: FloatRows, keys: FloatRows, values: FloatRows, decays: FloatRows,
    factors: FloatRows, skips: FloatView? = nil
  ) {
    self.queries = queries
    self.keys = keys
    self.values = values
    self.decays = decays
    self.factors = factors
    self.skips = skips
  }
}

/// Operations of layers that keep a state of fixed size. A row's result depends on the rows before
/// it in its sequence alone.
extension WorkerTeam {
  /// x[t] = Σ weight[i] · x[t - tapCount + 1 + i] + bias, channel by channel, in place.
  ///
  /// - Parameters:
  ///   - weight: (channel, tap), the oldest row's first.
  ///   - stateOffset: Where in the segments' states the rows before are.
  package func convolve(
    _ x: FloatRows, _ shape: ConvolutionShape, weight: FloatView, bias: FloatView?,
    segments: [StateSegment], stateOffset: Int = 0
  ) {
    precondition(x.columnCount == shape.channelCount)
    precondition(weight.count == shape.channelCount * shape.tapCount)
    precondition(bias.map { $0.count == shape.channelCount } ?? true)
    unsafe withCSegments(segments, of: x, stateOffset, shape.stateCount) { cSegments in
      let job = unsafe moe_convolve_job(
        x: x.storage.pointer, x_stride: x.stride, weight: weight.pointer, bias: bias?.pointer,
        segments: cSegments, segment_count: segments.count, channels: shape.channelCount,
        taps: shape.tapCount)
      unsafe run(
        operations.pointee.convolve, job,
        cost: (x.rowCount + 2 * segments.count) * shape.channelCount, as: .convolution)
    }
  }

  /// x = log(1 + exp(x + bias)), decays = exp(x · rates).
  package func advanceTime(
    _ x: FloatRows, bias: FloatView, rates: FloatView, decays: FloatRows
  ) {
    precondition(bias.count == x.columnCount && rates.count == x.columnCount)
    precondition(decays.rowCount == x.rowCount && decays.columnCount == x.columnCount)
    let job = unsafe moe_time_step_job(
      x: x.storage.pointer, x_stride: x.stride, bias: bias.pointer, rates: rates.pointer,
      decays: decays.storage.pointer, decay_stride: decays.stride, rows: x.rowCount,
      columns: x.columnCount)
    unsafe run(
      operations.pointee.time_step, job, cost: x.rowCount * x.columnCount * 30, as: .activate)
  }

  /// Changes the memories of the rows' sequences, row by row, and reads them: (row, head,
  /// valueDimension). See `moe_recurrence_job` for the definition.
  ///
  /// - Parameter stateOffset: Where in the segments' states the memories are.
  package func recur(
    _ input: RecurrenceInput, _ shape: RecurrenceShape, _ rule: RecurrenceRule,
    segments: [StateSegment], stateOffset: Int = 0, into out: FloatRows
  ) {
    let (count, keys) = (out.rowCount, input.keys)
    precondition(keys.columnCount == shape.keyWidth && keys.rowCount == count)
    precondition(input.queries.columnCount == shape.keyWidth && input.queries.rowCount == count)
    precondition(input.queries.stride == keys.stride)
    for values in [input.values, out] {
      precondition(values.columnCount == shape.valueWidth && values.rowCount == count)
    }
    for factors in [input.decays, input.factors] {
      precondition(factors.columnCount == shape.headCount && factors.rowCount == count)
    }
    precondition(input.skips.map { $0.count == shape.headCount } ?? true)
    unsafe withCSegments(segments, of: out, stateOffset, shape.stateCount) { cSegments in
      let job = unsafe moe_recurrence_job(
        q: input.queries.storage.pointer, k: keys.storage.pointer, v: input.values.storage.pointer,
        key_stride: keys.stride, value_stride: input.values.stride,
        decays: input.decays.storage.pointer, factors: input.factors.storage.pointer,
        decay_stride: input.decays.stride, factor_stride: input.factors.stride,
        skips: input.skips?.pointer, out: out.storage.pointer, out_stride: out.stride,
        segments: cSegments, segment_count: segments.count, heads: shape.headCount,
        key_heads: shape.keyHeadCount, key_dimension: shape.keyDimension,
        value_dimension: shape.valueDimension, query_scale: rule.queryScale,
        key_scale: rule.keyScale, corrects: rule.corrects ? 1 : 0,
        cycles_keys: rule.keySharing == .cycled ? 1 : 0)
      unsafe run(
        operations.pointee.recurrence, job, cost: count * shape.stateCount / 10, as: .recurrence)
    }
  }

  /// - Parameter stateCount: Floats that each segment has from `stateOffset` on.
  private func withCSegments(
    _ segments: [StateSegment], of rows: FloatRows, _ stateOffset: Int, _ stateCount: Int,
    _ body: (UnsafePointer<moe_state_segment>) -> Void
  ) {
    precondition(segments.reduce(0) { $0 + $1.rowCount } == rows.rowCount)
    guard rows.rowCount > 0 else { return }
    unsafe withUnsafeTemporaryAllocation(of: moe_state_segment.self, capacity: segments.count) {
      buffer in
      for (index, segment) in segments.enumerated() {
        let source = segment.source.slice(stateOffset, count: stateCount)
        let target = segment.target.slice(stateOffset, count: stateCount)
        unsafe buffer.initializeElement(
          at: index,
          to: moe_state_segment(
            source: source.pointer, target: target.pointer, rows: segment.rowCount))
      }
      guard let start = buffer.baseAddress else { return }
      unsafe body(start)
    }
  }
}
