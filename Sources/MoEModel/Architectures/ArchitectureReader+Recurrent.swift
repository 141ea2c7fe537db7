import MoEKernels

/// What families with recurrent layers have in common.
extension ArchitectureReader {
  /// Whether a layer has attention, where files give those that have none 0 heads of keys.
  func attends(layer: Int) throws(ModelError) -> Bool {
    let key = "attention.head_count_kv"
    if try optionalInteger(key, layer: layer, in: 0...1 << 14) ?? 0 > 0 { return true }
    try require(
      !contains("attn_k.weight", layer: layer), key, "0 for layer \(layer)",
      "how many heads its keys have")
    return false
  }

  /// Whether the file gives some layer no heads of keys.
  func hasLayersWithoutKeys() throws(ModelError) -> Bool {
    try optionalIntegers("attention.head_count_kv", in: 0...1 << 14)?.contains(0) ?? false
  }

  /// Rows that the short convolution before a recurrence sees.
  func convolutionTapCount() throws(ModelError) -> Int {
    try integer("ssm.conv_kernel", in: 1...ConvolutionShape.tapCountMax)
  }

  /// Heads of a recurrence, in groups that share keys, and the elements of each head's values.
  func recurrentHeads() throws(ModelError) -> (count: Int, groupCount: Int, dimension: Int) {
    let groupCount = try integer("ssm.group_count", in: 1...1 << 12)
    let count = try integer("ssm.time_step_rank", in: 1...1 << 12)
    try require(
      count.isMultiple(of: groupCount), "ssm.time_step_rank", "\(count)",
      "a multiple of the \(groupCount) groups")
    let width = try integer("ssm.inner_size", in: 1...1 << 20)
    try require(
      width.isMultiple(of: count), "ssm.inner_size", "\(width)", "a multiple of the \(count) heads")
    return (count, groupCount, width / count)
  }

  /// Elements of a recurrence's keys.
  func recurrentKeyDimension() throws(ModelError) -> Int {
    try integer("ssm.state_size", in: 1...1 << 12)
  }

  func mamba2() throws(ModelError) -> Mamba2Description {
    let heads = try recurrentHeads()
    return Mamba2Description(
      headCount: heads.count, groupCount: heads.groupCount,
      stateDimension: try recurrentKeyDimension(), headDimension: heads.dimension,
      tapCount: try convolutionTapCount())
  }
}
