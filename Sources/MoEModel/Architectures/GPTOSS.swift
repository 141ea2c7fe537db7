import MoECore
import MoEKernels

/// gpt-oss (arXiv 2508.10925): attention sinks, a sliding window in every second layer beginning
/// with the first, biases everywhere, a softmax over the chosen experts, clamped SwiGLU.
enum GPTOSS {
  static let architecture = Architecture(
    name: "gpt-oss", aliases: ["gptoss"],
    models: "gpt-oss-20b and 120b",
    summary: "gpt-oss: sinks, windows in every second layer, softmax over the chosen, biases.",
    smallModel: [
      "block_count": .unsigned(4), "attention.sliding_window": .unsigned(24),
      "rope.freq_base": .float(150_000), "rope.scaling.type": .string("yarn"),
      "rope.scaling.factor": .float(8), "rope.scaling.original_context_length": .unsigned(32),
    ],
    usualTensors: [.query.bias, .key.bias, .value.bias, .attentionOutput.bias, .routerBias],
    tensorNames: TensorNames(others: [
      "attn_out.weight": "attn_output.weight", "attn_out.bias": "attn_output.bias",
      "attn_sinks": "attn_sinks.weight", "ffn_norm.weight": "post_attention_norm.weight",
    ]), unsaid: ["rope.scaling.type": .string("yarn")]
  ) { reader throws(ModelError) in
    try reader.refuseOtherMathematics(apartFrom: ["attention.sliding_window"])
    let window = try reader.integer("attention.sliding_window", in: 1...1 << 30)
    return try reader.model { layer throws(ModelError) in
      var attention = try reader.attention(
        layer: layer, pairing: .neox, truncatesCorrectionRange: false)
      attention.hasSinks = true
      if layer.isMultiple(of: 2) { attention.limits = .sliding(window) }
      var routed = try reader.routed(layer: layer, scoring: .softmaxOfChosen, renormalizes: false)
      // The first files by this name have rows of gates and ups in turn.
      if reader.architecture == "gptoss" && routed.storage == .stackedGateUp {
        throw .unexpectedTensor(
          name: TensorTable.prefix(layer: layer) + "ffn_gate_up_exps.weight",
          architecture: reader.architecture, file: reader.file)
      }
      routed.hasBiases = true
      // Constants of the published models, which files do not give.
      routed.activation = .clampedSwiGLU(alpha: 1.702, limit: 7)
      return LayerDescription(
        mixer: .attention(attention),
        feedForward: FeedForward(normName: "post_attention_norm", parts: [.routed(routed)]))
    }
  }
}
