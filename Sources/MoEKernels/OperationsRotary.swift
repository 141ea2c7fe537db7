internal import CMoEKernelsInterface
private import MoECore

/// Which elements of a head turn together in rotary position embedding.
package enum RotaryPairing: Sendable, Hashable, CaseIterable {
  /// Element i with element i + pairs, as GPT-NeoX does.
  case neox
  /// Element 2i with element 2i + 1, as the RoFormer paper has it.
  case interleaved
}

extension WorkerTeam {
  /// Rotary position embedding in place (RoFormer, arXiv 2104.09864).
  ///
  /// Turns the first `2 * cosines.columnCount` elements of each head of each row of `x`, heads
  /// being `headDimension` apart; `cosines` and `sines` are (token, pair), rows consecutive.
  package func rotate(
    _ x: FloatRows, headCount: Int, headDimension: Int, cosines: FloatRows, sines: FloatRows,
    pairing: RotaryPairing
  ) {
    let pairCount = cosines.columnCount
    precondition(headCount >= 0 && headDimension >= 0 && 2 * pairCount <= headDimension)
    precondition(headCount == 0 || (headCount - 1) * headDimension + 2 * pairCount <= x.columnCount)
    precondition(cosines.rowCount == x.rowCount && cosines.stride == pairCount)
    precondition(sines.rowCount == x.rowCount && sines.stride == pairCount)
    precondition(sines.columnCount == pairCount)
    let job = unsafe moe_rope_job(
      x: x.storage.pointer, token_stride: x.stride, tokens: x.rowCount, heads: headCount,
      head_dimension: headDimension, pairs: pairCount, cosines: cosines.storage.pointer,
      sines: sines.storage.pointer, paired_halves: pairing == .neox ? 1 : 0)
    unsafe run(
      operations.pointee.rope, job, cost: x.rowCount * headCount * pairCount / 4, as: .rotate)
  }
}
