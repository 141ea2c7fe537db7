import MoECore
import MoEKernels

/// Nemotron 3 Nano (arXiv 2512.20848): each layer is one thing only: a Mamba-2, attention that
/// knows no positions, or experts without gates beside a shared one.
enum NemotronHMoE {
  static let architecture = Architecture(
    name: "nemotron_h_moe", aliases: ["nemotron_h_omni"],
    models: "Nemotron 3 Nano 30B-A3B",
    summary: "Nemotron 3: Mamba-2, attention or experts by the layer, squared ReLU, no gates.",
    smallModel: [
      "block_count": .unsigned(6),
      "attention.head_count_kv": .array(.signed([0, 0, 2, 0, 0, 0])),
      "feed_forward_length": .array(.signed([0, 32, 0, 32, 0, 32])),
      "ssm.conv_kernel": .unsigned(4), "ssm.state_size": .unsigned(16),
      "ssm.group_count": .unsigned(2), "ssm.time_step_rank": .unsigned(4),
      "ssm.inner_size": .unsigned(128), "expert_shared_feed_forward_length": .unsigned(48),
      "expert_shared_count": .unsigned(1), "expert_weights_norm": .bool(true),
      "expert_weights_scale": .float(2.5),
    ], usualTensors: [.convolutionBias],
    tensorNames: TensorNames(leftOut: TensorNames.encoders + TensorNames.predictions)
  ) { reader throws(ModelError) in
    try reader.refuseOtherMathematics(apartFrom: ["expert_shared_count"])
    // Some files have the epsilon under the name of another kind of norm's alone.
    let (key, otherKey) = ("attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon")
    let (own, other) = (try reader.optionalNumber(key), try reader.optionalNumber(otherKey))
    let usesOther = own == nil && other != nil
    let sharedCount = try reader.optionalInteger("expert_shared_count", in: 0...64) ?? 0
    return try reader.model(epsilonKey: usesOther ? otherKey : key) { layer throws(ModelError) in
      let width = try reader.optionalInteger("feed_forward_length", layer: layer, in: 0...1 << 24)
      if width ?? 0 > 0 {
        let part = try feedForward(layer, reader, sharedCount: sharedCount)
        return LayerDescription(feedForward: part)
      }
      if try reader.attends(layer: layer) {
        var attention = try reader.attention(layer: layer, pairing: .neox)
        attention.rotary = nil
        return LayerDescription(mixer: .attention(attention))
      }
      return LayerDescription(mixer: .mamba2(try reader.mamba2()))
    }
  }

  private static func feedForward(
    _ layer: Int, _ reader: ArchitectureReader, sharedCount: Int
  ) throws(ModelError) -> FeedForward {
    if reader.contains("ffn_up.weight", layer: layer) {
      var dense = try reader.dense(layer: layer)
      dense.activation = .reluSquared
      return FeedForward(normName: "attn_norm", parts: [.dense(dense)])
    }
    var routed = try reader.routed(
      layer: layer, scoring: .sigmoid, renormalizes: true, hasSelectionBias: true)
    routed.activation = .reluSquared
    var parts: [FeedForwardPart] = [.routed(routed)]
    if sharedCount > 0 {
      var shared = try reader.shared(layer: layer, isGated: false)
      shared.activation = .reluSquared
      parts.insert(.dense(shared), at: 0)
    }
    return FeedForward(normName: "attn_norm", parts: parts)
  }
}
