/// Every format that weights can be written in.
package enum BlockEncoderRegistry {
  package static let all: [BlockEncoder] = [
    SingleScaleBlocks.q8_0,
    SignedScaleBlocks.q6_k,
    MinimumBlocks.q5_k,
    MinimumBlocks.q4_k,
    SingleScaleBlocks.q4_0,
    SignedScaleBlocks.q3_k,
    MinimumBlocks.q2_k,
  ]

  package static func entry(named name: String) -> BlockEncoder? { all.first { $0.name == name } }

  /// What a matrix is written in whose rows are not whole blocks of the format that was wanted: the
  /// smallest blocks of at least about as many bits. Nil where these do not fit either.
  package static func substitute(for encoder: BlockEncoder, columnCount: Int) -> BlockEncoder? {
    if columnCount.isMultiple(of: encoder.shape.elementCount) { return encoder }
    let other =
      encoder.bitsPerWeight > SingleScaleBlocks.q4_0.bitsPerWeight
      ? SingleScaleBlocks.q8_0 : SingleScaleBlocks.q4_0
    return columnCount.isMultiple(of: other.shape.elementCount) ? other : nil
  }
}
