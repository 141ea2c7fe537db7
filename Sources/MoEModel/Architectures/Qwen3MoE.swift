import MoECore
import MoEKernels

/// Qwen3-MoE (arXiv 2505.09388): softmax weights of the chosen experts made to sum to 1, a norm on
/// each query and key head, grouped key and value heads.
enum Qwen3MoE {
  static let architecture = Architecture(
    name: "qwen3moe", models: "Qwen3-30B-A3B and its relatives",
    summary: "Qwen3-MoE: renormalised softmax top-k, norms on Q and K heads.",
    smallModel: ["rope.freq_base": .float(1e6)]
  ) { reader throws(ModelError) in
    try reader.refuseOtherMathematics()
    return try reader.model { layer throws(ModelError) in
      var attention = try reader.attention(layer: layer, pairing: .neox)
      attention.queryKeyNorm = .perHead
      let routed = try reader.routed(layer: layer, scoring: .softmax, renormalizes: true)
      return LayerDescription(
        mixer: .attention(attention), feedForward: FeedForward(parts: [.routed(routed)]))
    }
  }
}
