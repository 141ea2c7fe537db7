import MoECore
import MoEKernels

/// Qwen1.5-MoE and Qwen2-MoE (arXiv 2407.10671, section 2.2.2): softmax weights of the chosen
/// experts used as they are, a shared expert with a sigmoid gate, biases on queries, keys, values.
enum Qwen2MoE {
  static let architecture = Architecture(
    name: "qwen2moe",
    models: "Qwen1.5-MoE, Qwen2-57B-A14B",
    summary: "Qwen1.5-MoE, Qwen2-MoE: softmax top-k, a gated shared expert, attention biases.",
    smallModel: [
      "rope.freq_base": .float(1e6), "expert_shared_feed_forward_length": .unsigned(64),
    ], usualTensors: [.query.bias, .key.bias, .value.bias]
  ) { reader throws(ModelError) in
    try reader.refuseOtherMathematics()
    return try reader.model { layer throws(ModelError) in
      let attention = try reader.attention(layer: layer, pairing: .neox)
      let routed = try reader.routed(layer: layer, scoring: .softmax, renormalizes: false)
      let shared = try reader.shared(layer: layer, isGated: true)
      return LayerDescription(
        mixer: .attention(attention),
        feedForward: FeedForward(parts: [.dense(shared), .routed(routed)]))
    }
  }
}
