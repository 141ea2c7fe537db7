import MoECore
import MoEKernels

/// Phi-3.5-MoE (arXiv 2404.14219) and GRIN-MoE (arXiv 2409.12136): two experts that a sparse mixer
/// weighs one after the other, layer norms, biases everywhere in attention, rotary factors for
/// long texts.
enum PhiMoE {
  static let architecture = Architecture(
    name: "phimoe",
    models: "Phi-3.5-MoE, GRIN-MoE",
    summary: "Phi-3.5-MoE: sparse mixer of two experts, layer norms, rotary factors by context.",
    smallModel: [
      "rope.dimension_count": .unsigned(16), "rope.scaling.attn_factor": .float(1.1),
      "rope.scaling.type": .string("longrope"),
      "rope.scaling.original_context_length": .unsigned(32),
    ],
    usualTensors: [
      .attentionNorm.bias, .query.bias, .key.bias, .value.bias, .attentionOutput.bias,
      .feedForwardNorm.bias, .outputNorm.bias, .output.bias, .shortRotaryFactors,
      .longRotaryFactors,
    ]
  ) { reader throws(ModelError) in
    try reader.refuseOtherMathematics(apartFrom: ["attention.sliding_window"])
    let context = try reader.integer("context_length", in: 1...1 << 30)
    let window = try reader.optionalInteger("attention.sliding_window", in: 0...1 << 30) ?? 0
    let factors = try reader.factorsByContext()
    var model = try reader.model { layer throws(ModelError) in
      var attention = try reader.attention(layer: layer, pairing: .neox, factors: factors)
      // Published files name their whole context.
      if window > 0 && window < context { attention.limits = .sliding(window) }
      let routed = try reader.routed(layer: layer, scoring: .sparseMixer, renormalizes: false)
      return LayerDescription(
        mixer: .attention(attention), feedForward: FeedForward(parts: [.routed(routed)]))
    }
    model.normKind = .layer
    return model
  }
}
