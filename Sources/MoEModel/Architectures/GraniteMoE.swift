import MoECore
import MoEKernels

/// Granite 3 MoE (IBM's Granite 3.0 language models, 2024): softmax over the chosen experts, and
/// factors on embedding, residual stream, attention and logits (arXiv 2408.13359).
enum GraniteMoE {
  static let architecture = Architecture(
    name: "granitemoe",
    models: "Granite 3.0 and 3.1 MoE",
    summary: "Granite 3 MoE: softmax over the chosen, factors on embedding, residuals, logits.",
    smallModel: [
      "rope.freq_base": .float(1.5e6), "rope.dimension_count": .unsigned(16),
      "attention.scale": .float(0.1), "embedding_scale": .float(12),
      "residual_scale": .float(0.22), "logit_scale": .float(0.5),
    ]
  ) { reader throws(ModelError) in
    try reader.refuseOtherMathematics(apartFrom: [
      "attention.scale", "embedding_scale", "residual_scale", "logit_scale",
    ])
    let join = Join(scale: try reader.factor("residual_scale") ?? 1)
    let productScale = try reader.factor("attention.scale")
    var model = try reader.model { layer throws(ModelError) in
      var attention = try reader.attention(layer: layer, pairing: .interleaved)
      attention.productScale = productScale
      let routed = try reader.routed(
        layer: layer, scoring: .softmaxOfChosen, renormalizes: false)
      var parts: [FeedForwardPart] = [.routed(routed)]
      if reader.contains("ffn_up_shexp.weight", layer: layer) {
        parts.insert(.dense(try reader.shared(layer: layer, isGated: false)), at: 0)
      }
      return LayerDescription(
        mixer: .attention(attention), mixerJoin: join,
        feedForward: FeedForward(parts: parts, join: join))
    }
    model.embeddingScale = try reader.factor("embedding_scale") ?? 1
    model.logitScale = 1 / (try reader.factor("logit_scale") ?? 1)
    return model
  }
}
