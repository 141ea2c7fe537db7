internal import CMoEKernels
private import MoECore

/// Operations of attention: cache, softmax over the past.
extension WorkerTeam {
  /// Writes the keys and values of consecutive tokens, the first at `position`, to the cache. Rows
  /// are (kv head, head dimension). In f16 caches values beyond 65504 become infinite.
  package func appendKV(keys: FloatRows, values: FloatRows, to cache: KVView, position: Int) {
    let width = cache.headCount * cache.headDimension
    precondition(keys.columnCount == width && values.columnCount == width)
    precondition(keys.rowCount == values.rowCount)
    precondition(position >= 0 && position + keys.rowCount <= cache.capacity)
    let job = unsafe moe_kv_append_job(
      k: keys.storage.pointer, v: values.storage.pointer, k_stride: keys.stride,
      v_stride: values.stride, k_cache: cache.keys.pointer, v_cache: cache.values.pointer,
      type: cache.type.cValue, block_positions: cache.blockPositionCount,
      block_stride: cache.blockByteStride, tokens: keys.rowCount, position: position,
      kv_heads: cache.headCount, head_dimension: cache.headDimension)
    unsafe run(
      operations.pointee.kv_append, job, cost: keys.rowCount * width / 4, as: .appendKeyValue)
  }

  /// Causal attention: row t of `q`, at position `position + t`, over the positions up to its own,
  /// all of which the cache holds. Rows of `q` and `out` are (head, head dimension); `headCount` is
  /// a multiple of the cache's; `out` must not overlap `q`.
  package func attend(
    _ q: FloatRows, headCount: Int, over cache: KVView, position: Int, scale: Float,
    into out: FloatRows
  ) {
    let width = headCount * cache.headDimension
    precondition(headCount > 0 && headCount % cache.headCount == 0)
    precondition(q.columnCount == width && out.columnCount == width && q.rowCount == out.rowCount)
    precondition(position >= 0 && position + q.rowCount <= cache.capacity)
    precondition(cache.headDimension <= KVView.headDimensionMax)
    let pairCount = q.rowCount * (position + q.rowCount)
    let partials = sharesPositions(q.rowCount, position, cache) ? cache.partials : nil
    if let partials {
      let needed = KVView.partialCount(
        capacity: position + 1, queryHeadCount: headCount, headDimension: cache.headDimension)
      precondition(needed <= partials.count)
    }
    let job = unsafe moe_attention_job(
      q: q.storage.pointer, q_stride: q.stride, k_cache: UnsafeRawPointer(cache.keys.pointer),
      v_cache: UnsafeRawPointer(cache.values.pointer), type: cache.type.cValue,
      block_positions: cache.blockPositionCount, block_stride: cache.blockByteStride,
      tokens: q.rowCount, position: position, heads: headCount, kv_heads: cache.headCount,
      head_dimension: cache.headDimension, scale: scale,
      out: out.storage.pointer, out_stride: out.stride, partials: partials?.pointer)
    unsafe run(operations.pointee.attention, job, cost: pairCount * width / 32, as: .attention)
    if partials != nil {
      unsafe run(
        operations.pointee.attention_merge, job,
        cost: (position / KVView.spanCount + 1) * width / 4,
        as: .attention)
    }
  }

  /// Whether workers divide one token's past among them, besides the cache's heads: where heads
  /// alone do not come out even.
  private func sharesPositions(_ tokenCount: Int, _ position: Int, _ cache: KVView) -> Bool {
    tokenCount == 1 && position >= KVView.spanCount && cache.headCount % workerCount != 0
  }
}
