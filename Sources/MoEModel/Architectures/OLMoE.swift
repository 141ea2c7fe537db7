import MoECore
import MoEKernels

/// OLMoE (arXiv 2409.02060): 64 small experts in every layer, softmax weights of the chosen ones
/// used as they are, one norm over the whole query and key projections.
enum OLMoE {
  static let architecture = Architecture(
    name: "olmoe", models: "OLMoE",
    summary: "OLMoE: softmax top-k without renormalisation, norms on whole Q and K.",
    smallModel: ["attention.head_count_kv": .unsigned(4)]
  ) { reader throws(ModelError) in
    try reader.refuseOtherMathematics()
    return try reader.model { layer throws(ModelError) in
      var attention = try reader.attention(layer: layer, pairing: .neox)
      attention.queryKeyNorm = .wholeProjection
      let routed = try reader.routed(layer: layer, scoring: .softmax, renormalizes: false)
      return LayerDescription(
        mixer: .attention(attention), feedForward: FeedForward(parts: [.routed(routed)]))
    }
  }
}
