import MoECore
import MoEKernels

/// GLM-4.5 to 4.7 (arXiv 2508.06471): leading dense layers, then a shared expert beside routed ones
/// that sigmoid scores choose with a bias of their own; half of each head turns.
///
/// Files carry layers that predict the token after the next; they are not read.
enum GLM4MoE {
  static let architecture = Architecture(
    name: "glm4moe",
    models: "GLM-4.5, GLM-4.6, the Air models",
    summary:
      "GLM-4.5, 4.6: sigmoid scores with selection bias, a shared expert, dense layers first.",
    smallModel: [
      "block_count": .unsigned(3), "rope.dimension_count": .unsigned(8),
      "rope.freq_base": .float(1e6), "expert_shared_count": .unsigned(1),
      "leading_dense_block_count": .unsigned(1), "expert_gating_func": .unsigned(2),
      "expert_weights_scale": .float(1.5), "expert_weights_norm": .bool(true),
    ], usualTensors: [.query.bias, .key.bias, .value.bias]
  ) { reader throws(ModelError) in
    try reader.refuseOtherMathematics(apartFrom: [
      "expert_shared_count", "leading_dense_block_count", "nextn_predict_layers",
    ])
    return try reader.model { layer throws(ModelError) in
      var attention = try reader.attention(layer: layer, pairing: .neox)
      // The smaller models of the family do without.
      if reader.contains("attn_q_norm.weight", layer: layer) { attention.queryKeyNorm = .perHead }
      let parts = try reader.denseFirst(layer: layer) { () throws(ModelError) in
        try reader.routed(
          layer: layer, scoring: .sigmoid, renormalizes: true, hasSelectionBias: true)
      }
      return LayerDescription(
        mixer: .attention(attention),
        feedForward: FeedForward(normName: "post_attention_norm", parts: parts))
    }
  }
}
