internal import CMoEKernelsInterface
package import MoECore

/// Operations of attention: cache, softmax over the past.
extension WorkerTeam {
  /// Writes the keys and values of a step's rows to the caches of their sequences. Rows are
  /// (kv head, head dimension). In f16 caches values beyond 65504 become infinite.
  ///
  /// - Parameter values: Nil where the caches' values lie in their keys.
  package func appendKV(
    keys: FloatRows, values: FloatRows?, to segments: [AttentionSegment]
  ) {
    guard let view = check(segments, rowCount: keys.rowCount) else { return }
    precondition(keys.columnCount == view.headCount * view.keyHeadDimension)
    precondition((values == nil) == view.valuesLieInKeys)
    if let values {
      precondition(values.rowCount == keys.rowCount)
      precondition(values.columnCount == view.headCount * view.valueHeadDimension)
    }
    for segment in segments { precondition(segment.view.holds(segment.positions)) }
    let cost = keys.rowCount * view.headCount * (view.keyHeadDimension + view.valueHeadDimension)
    unsafe withCSegments(segments) { cSegments in
      let job = unsafe moe_kv_append_job(
        k: keys.storage.pointer, v: values?.storage.pointer, k_stride: keys.stride,
        v_stride: values?.stride ?? 0, segments: cSegments, segment_count: segments.count,
        shape: view.shape)
      unsafe run(operations.pointee.kv_append, job, cost: cost / 8, as: .appendKeyValue)
    }
  }

  /// Attention of a step's rows, each over the positions of its own sequence that `limits` lets it
  /// see, all of which the caches hold.
  ///
  /// Rows of `q` and `out` are (head, head dimension), of the keys' and the values' dimension;
  /// `headCount` is a multiple of the caches'; `out` must not overlap `q`. A row's result does not
  /// depend on the other rows, on the pages, or on the number of workers.
  ///
  /// - Parameter partials: Room for what workers find in parts of the rows' pasts; see
  ///   `KVView.partialCount`. Where it is nil or too small, they share the heads alone.
  package func attend(
    _ q: FloatRows, headCount: Int, over segments: [AttentionSegment],
    limits: AttentionLimits = .causal, scoring: AttentionScoring, partials: FloatView? = nil,
    into out: FloatRows
  ) {
    precondition(q.rowCount == out.rowCount)
    guard let view = check(segments, rowCount: q.rowCount) else { return }
    precondition(headCount > 0 && headCount % view.headCount == 0)
    precondition(q.columnCount == headCount * view.keyHeadDimension)
    precondition(out.columnCount == headCount * view.valueHeadDimension)
    precondition(max(view.keyHeadDimension, view.valueHeadDimension) <= KVView.headDimensionMax)
    precondition(limits == .causal || limits.size > 0)
    precondition(scoring.sinks.map { $0.count == headCount } ?? true)
    var (pairCount, partialCount, longest) = (0, 0, 0)
    for segment in segments where segment.rowCount > 0 {
      let seen = limits.first(for: segment.position)..<segment.positions.upperBound
      precondition(segment.view.holds(seen))
      let spanFirst = seen.lowerBound / KVView.spanCount * KVView.spanCount
      pairCount += segment.rowCount * seen.count
      partialCount +=
        segment.rowCount
        * KVView.partialCount(
          capacity: seen.upperBound - spanFirst, queryHeadCount: headCount,
          valueHeadDimension: view.valueHeadDimension)
      longest = max(longest, seen.count)
    }
    // Where heads alone come out even, workers have nothing to share besides them.
    let isShared =
      q.rowCount <= KVView.sharedRowCountMax && longest > KVView.spanCount
      && view.headCount % workerCount != 0 && partialCount <= partials?.count ?? 0
    let width = headCount * (view.keyHeadDimension + view.valueHeadDimension)
    unsafe withCSegments(segments) { cSegments in
      let job = unsafe moe_attention_job(
        q: q.storage.pointer, q_stride: q.stride, segments: cSegments,
        segment_count: segments.count, shape: view.shape, heads: headCount,
        limits: limits.cValue, size: limits.size, scale: scoring.scale,
        soft_cap: scoring.softCap ?? 0, sinks: scoring.sinks?.pointer, out: out.storage.pointer,
        out_stride: out.stride, partials: isShared ? partials?.pointer : nil)
      unsafe run(operations.pointee.attention, job, cost: pairCount * width / 64, as: .attention)
      if isShared {
        unsafe run(
          operations.pointee.attention_merge, job, cost: partialCount / 4, as: .attention)
      }
    }
  }

  /// The first segment's view, whose shape all share; nil where there are no rows.
  private func check(_ segments: [AttentionSegment], rowCount: Int) -> KVView? {
    precondition(segments.reduce(0) { $0 + $1.rowCount } == rowCount)
    guard rowCount > 0, let view = segments.first?.view else { return nil }
    precondition(segments.allSatisfy { $0.view.hasShape(of: view) })
    precondition(segments.allSatisfy { $0.view.valuesLieInKeys == view.valuesLieInKeys })
    return view
  }

  private func withCSegments(
    _ segments: [AttentionSegment], _ body: (UnsafePointer<moe_kv_segment>) -> Void
  ) {
    unsafe withUnsafeTemporaryAllocation(of: moe_kv_segment.self, capacity: segments.count) {
      buffer in
      for (index, segment) in segments.enumerated() {
        unsafe buffer.initializeElement(
          at: index,
          to: segment.view.segment(position: segment.position, rowCount: segment.rowCount))
      }
      guard let start = buffer.baseAddress else { return }
      unsafe body(start)
    }
  }
}
