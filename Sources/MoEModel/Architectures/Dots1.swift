import MoECore
import MoEKernels

/// dots.llm1 (arXiv 2506.05767): leading dense layers, then shared experts beside routed ones that
/// sigmoid scores choose with a bias of their own; a norm on each query and key head.
enum Dots1 {
  static let architecture = Architecture(
    name: "dots1",
    models: "dots.llm1",
    summary: "dots.llm1: sigmoid scores with selection bias, shared experts, dense layers first.",
    smallModel: [
      "block_count": .unsigned(3), "rope.freq_base": .float(1e7),
      "expert_shared_count": .unsigned(2), "leading_dense_block_count": .unsigned(1),
      "expert_gating_func": .unsigned(2), "expert_weights_scale": .float(2.5),
      "expert_weights_norm": .bool(true),
    ]
  ) { reader throws(ModelError) in
    try reader.refuseOtherMathematics(apartFrom: [
      "expert_shared_count", "leading_dense_block_count",
    ])
    return try reader.model { layer throws(ModelError) in
      var attention = try reader.attention(layer: layer, pairing: .neox)
      attention.queryKeyNorm = .perHead
      let parts = try reader.denseFirst(layer: layer) { () throws(ModelError) in
        try reader.routed(
          layer: layer, scoring: .sigmoid, renormalizes: true, hasSelectionBias: true)
      }
      return LayerDescription(
        mixer: .attention(attention), feedForward: FeedForward(parts: parts))
    }
  }
}
