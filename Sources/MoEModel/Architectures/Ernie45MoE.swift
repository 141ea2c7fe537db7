import MoECore
import MoEKernels

/// ERNIE 4.5 (ERNIE 4.5 technical report, 2025): leading dense layers, then shared experts beside
/// routed ones, whose softmax probabilities with a bias choose and without it weigh.
enum Ernie45MoE {
  static let architecture = Architecture(
    name: "ernie4_5-moe",
    models: "ERNIE 4.5 21B-A3B and 300B-A47B",
    summary: "ERNIE 4.5: softmax with selection bias, shared experts, dense layers first.",
    smallModel: [
      "block_count": .unsigned(3), "rope.freq_base": .float(5e5),
      "expert_shared_count": .unsigned(2), "leading_dense_block_count": .unsigned(1),
      "interleave_moe_layer_step": .unsigned(1),
    ]
  ) { reader throws(ModelError) in
    try reader.refuseOtherMathematics(apartFrom: [
      "expert_shared_count", "leading_dense_block_count", "interleave_moe_layer_step",
    ])
    let step = try reader.optionalInteger("interleave_moe_layer_step", in: 1...4096) ?? 1
    return try reader.model { layer throws(ModelError) in
      let attention = try reader.attention(layer: layer, pairing: .interleaved)
      var parts = [FeedForwardPart.dense(try reader.dense(layer: layer))]
      if (layer + 1).isMultiple(of: step) {
        parts = try reader.denseFirst(layer: layer) { () throws(ModelError) in
          var routed = try reader.routed(
            layer: layer, scoring: .softmax, renormalizes: true, hasSelectionBias: true)
          routed.router.renormalizationEpsilon = 1e-12
          return routed
        }
      }
      return LayerDescription(
        mixer: .attention(attention), feedForward: FeedForward(parts: parts))
    }
  }
}
