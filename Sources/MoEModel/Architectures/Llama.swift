import MoECore
import MoEKernels

/// Llama (arXiv 2407.21783) and its kin: Mixtral (arXiv 2401.04088), Mistral, and mixtures made of
/// several Llamas. Files without experts are dense.
enum Llama {
  static let architecture = Architecture(
    name: "llama",
    models: "Mixtral 8x7B and 8x22B, models merged at home; Llama and Mistral too",
    summary:
      "Mixtral: renormalised softmax top-k, rotary pairs; Llama and Mistral without experts.",
    smallModel: ["rope.freq_base": .float(1e6)]
  ) { reader throws(ModelError) in
    try reader.refuseOtherMathematics(apartFrom: ["attention.sliding_window"])
    let window = try reader.optionalInteger("attention.sliding_window", in: 0...1 << 30) ?? 0
    return try reader.model { layer throws(ModelError) in
      var attention = try reader.attention(layer: layer, pairing: .interleaved)
      if window > 0 { attention.limits = .sliding(window) }
      let part: FeedForwardPart =
        try reader.expertCount(layer: layer) > 0
        ? .routed(try reader.routed(layer: layer, scoring: .softmax, renormalizes: true))
        : .dense(try reader.dense(layer: layer))
      return LayerDescription(
        mixer: .attention(attention), feedForward: FeedForward(parts: [part]))
    }
  }
}
