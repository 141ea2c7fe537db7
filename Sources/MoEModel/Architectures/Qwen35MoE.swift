import MoECore
import MoEKernels

/// Qwen3.5 and 3.6 (as published in transformers, `qwen3_5_moe`): three layers of gated delta nets
/// for one of gated full attention, routed experts beside a gated shared one.
///
/// Files may carry layers that predict the token after the next; they are not read. In a text all
/// sections of the rotary embedding (`rope.dimension_sections`) have the same position.
enum Qwen35MoE {
  static let architecture = Architecture(
    name: "qwen35moe",
    models: "Qwen3.5 and 3.6 (35B-A3B, 122B-A10B, 397B-A17B), as text",
    summary: "Qwen3.5, 3.6: gated delta nets, gated attention, a gated shared expert.",
    smallModel: HybridQwen.smallModel, tensorNames: HybridQwen.tensorNames
  ) { reader throws(ModelError) in
    // Value heads are stored in the order that goes through all key heads again and again.
    try HybridQwen.describe(reader, keySharing: .cycled, storage: .separate)
  }
}

/// What Qwen3-Next and its followers have in common.
enum HybridQwen {
  static let smallModel: [String: MetadataValue] = [
    "block_count": .unsigned(4), "rope.dimension_count": .unsigned(8),
    "rope.freq_base": .float(1e7), "full_attention_interval": .unsigned(2),
    "ssm.conv_kernel": .unsigned(4), "ssm.state_size": .unsigned(16),
    "ssm.group_count": .unsigned(2), "ssm.time_step_rank": .unsigned(4),
    "ssm.inner_size": .unsigned(64), "expert_shared_feed_forward_length": .unsigned(64),
  ]

  static let tensorNames = TensorNames(
    others: ["ssm_dt": "ssm_dt.bias"], leftOut: TensorNames.encoders + TensorNames.predictions)

  /// - Parameter storage: How files of the family have the projections of delta nets unless their
  ///   tensors tell otherwise.
  static func describe(
    _ reader: ArchitectureReader, keySharing: RecurrenceRule.KeySharing,
    storage: DeltaNetDescription.Storage
  ) throws(ModelError) -> ModelDescription {
    try reader.refuseOtherMathematics(apartFrom: ["nextn_predict_layers"])
    let listsKeys = try reader.hasLayersWithoutKeys()
    return try reader.model { layer throws(ModelError) in
      let mixer: Mixer
      if try isRecurrent(layer, listsKeys: listsKeys, reader) {
        let heads = try reader.recurrentHeads()
        mixer = .deltaNet(
          DeltaNetDescription(
            keyHeadCount: heads.groupCount, valueHeadCount: heads.count,
            keyDimension: try reader.recurrentKeyDimension(), valueDimension: heads.dimension,
            tapCount: try reader.convolutionTapCount(), keySharing: keySharing,
            storage: self.storage(layer, reader) ?? storage))
      } else {
        var attention = try reader.attention(layer: layer, pairing: .neox)
        attention.queryKeyNorm = .perHead
        attention.hasOutputGate = true
        try reader.require(
          attention.valueDimension == attention.headDimension, "attention.value_length",
          "\(attention.valueDimension)", "\(attention.headDimension), as the key length")
        mixer = .attention(attention)
      }
      let shared = try reader.shared(layer: layer, isGated: true)
      let routed = try reader.routed(layer: layer, scoring: .softmax, renormalizes: true)
      return LayerDescription(
        mixer: mixer,
        feedForward: FeedForward(
          normName: "post_attention_norm", parts: [.dense(shared), .routed(routed)]))
    }
  }

  /// Some files do not list the layers but give those that are recurrent no heads of keys; of
  /// others every so many layers is one of attention.
  private static func isRecurrent(
    _ layer: Int, listsKeys: Bool, _ reader: ArchitectureReader
  ) throws(ModelError) -> Bool {
    if let isRecurrent = try reader.optionalFlag("attention.recurrent_layers", layer: layer) {
      return isRecurrent
    }
    if listsKeys { return !(try reader.attends(layer: layer)) }
    let interval = try reader.optionalInteger("full_attention_interval", in: 1...4096) ?? 4
    return !(layer + 1).isMultiple(of: interval)
  }

  /// Nil where the file tells nothing.
  private static func storage(
    _ layer: Int, _ reader: ArchitectureReader
  ) -> DeltaNetDescription.Storage? {
    if reader.contains("ssm_in.weight", layer: layer) { return .fused }
    if reader.contains("ssm_ba.weight", layer: layer) { return .fusedTimeSteps }
    return reader.contains("ssm_beta.weight", layer: layer) ? .separate : nil
  }
}
