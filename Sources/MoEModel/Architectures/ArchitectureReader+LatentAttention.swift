import MoECore
import MoEKernels

extension ArchitectureReader {
  /// Latent attention over all positions before.
  ///
  /// Files say the sizes of a head's query and value under keys of their own (`…_mla`), and those
  /// of what is kept under the usual ones. Older files have no keys of their own, and the sizes of
  /// a head under the usual ones; those of `glm4moelite` have them there too, and what is kept
  /// under the others.
  func latentAttention(layer: Int) throws(ModelError) -> LatentAttentionDescription {
    let headCount = try requireInteger("attention.head_count", layer: layer, in: 1...1 << 14)
    // All heads share what is kept. Older files count what could be made of it.
    let keptHeadCount =
      try optionalInteger("attention.head_count_kv", layer: layer, in: 1...headCount) ?? 1
    try require(
      keptHeadCount == 1 || keptHeadCount == headCount, "attention.head_count_kv",
      "\(keptHeadCount)", "1 or the head count \(headCount)")
    let hasBothKeys = try optionalInteger("attention.key_length_mla", in: 0...1 << 14) ?? 0 > 0
    let isSwapped = architecture == "glm4moelite"
    let suffix = hasBothKeys && !isSwapped ? "_mla" : ""
    let keptSuffix = isSwapped ? "_mla" : ""
    let queryKey = "attention.key_length\(suffix)"
    let queryDimension = try requireInteger(queryKey, layer: layer, in: 2...1 << 14)
    let rotary = try rotary(headDimension: queryDimension, pairing: .interleaved)
    try require(
      queryDimension > rotary.dimension && queryDimension % 2 == 0, queryKey, "\(queryDimension)",
      "an even number above the \(rotary.dimension) elements that turn")
    let latentDimension = try requireInteger(
      "attention.kv_lora_rank", layer: layer, in: 1...KVView.headDimensionMax - rotary.dimension)
    let queryLatentDimension =
      try optionalInteger("attention.q_lora_rank", layer: layer, in: 0...1 << 20) ?? 0
    let attention = LatentAttentionDescription(
      headCount: headCount, latentDimension: latentDimension,
      queryLatentDimension: queryLatentDimension > 0 ? queryLatentDimension : nil,
      plainDimension: queryDimension - rotary.dimension,
      valueDimension: try requireInteger(
        "attention.value_length\(suffix)", layer: layer, in: 1...1 << 14),
      rotary: rotary, storage: latentStorage(layer: layer))
    if hasBothKeys {
      for (key, expected) in [
        ("attention.key_length\(keptSuffix)", attention.keptDimension),
        ("attention.value_length\(keptSuffix)", latentDimension),
      ] {
        let found = try optionalInteger(key, layer: layer, in: 0...1 << 14) ?? expected
        try require(found == expected, key, "\(found)", "\(expected), what is kept of a position")
      }
    }
    return attention
  }

  /// Where a file has all three tensors, the split ones count.
  private func latentStorage(layer: Int) -> LatentAttentionDescription.Storage {
    let isJoined = contains(LatentAttentionDescription.joinedName, layer: layer)
    return isJoined && !contains("attn_k_b.weight", layer: layer) ? .joined : .split
  }
}
