import MoECore
import MoEKernels

/// Ling 2 and Ring 2 (arXiv 2510.22115): leading dense layers, then a shared expert beside routed
/// ones that sigmoid scores with a bias choose from the best groups; a norm on each query and key
/// head, of which half turns.
///
/// Files carry layers that predict the token after the next; they are not read.
enum BailingMoE2 {
  static let architecture = Architecture(
    name: "bailingmoe2",
    models: "Ling 2 and Ring 2",
    summary: "Ling 2, Ring 2: sigmoid scores with selection bias in groups, a shared expert.",
    smallModel: [
      "block_count": .unsigned(3), "rope.dimension_count": .unsigned(8),
      "rope.freq_base": .float(6e5), "leading_dense_block_count": .unsigned(1),
      "expert_shared_count": .unsigned(1), "expert_group_count": .unsigned(4),
      "expert_group_used_count": .unsigned(2), "expert_gating_func": .unsigned(2),
      "expert_weights_scale": .float(2.5), "expert_weights_norm": .bool(true),
    ]
  ) { reader throws(ModelError) in
    try reader.refuseOtherMathematics(apartFrom: [
      "expert_group_count", "expert_shared_count", "leading_dense_block_count",
      "nextn_predict_layers",
    ])
    return try reader.model { layer throws(ModelError) in
      var attention = try reader.attention(layer: layer, pairing: .neox)
      attention.queryKeyNorm = .perHead
      let parts = try reader.denseFirst(layer: layer) { () throws(ModelError) in
        var routed = try reader.routed(
          layer: layer, scoring: .sigmoid, renormalizes: true, hasSelectionBias: true)
        routed.router.groups = try reader.groups(of: routed.router, rule: .bestTwoSum)
        return routed
      }
      return LayerDescription(
        mixer: .attention(attention), feedForward: FeedForward(parts: parts))
    }
  }
}
