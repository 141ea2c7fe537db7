import MoECore
import MoEKernels

/// MiniMax-M2 (model cards of MiniMax-M2 to M2.7): sigmoid scores with a bias for the choice, one
/// norm over the whole query and key projections; half of each head turns.
enum MiniMaxM2 {
  static let architecture = Architecture(
    name: "minimax-m2",
    models: "MiniMax-M2, M2.1, M2.5, M2.7",
    summary: "MiniMax-M2: sigmoid scores with selection bias, norms on whole Q and K.",
    smallModel: [
      "rope.dimension_count": .unsigned(8), "rope.freq_base": .float(5e6),
      "expert_gating_func": .unsigned(2),
    ]
  ) { reader throws(ModelError) in
    try reader.refuseOtherMathematics()
    return try reader.model { layer throws(ModelError) in
      var attention = try reader.attention(layer: layer, pairing: .neox)
      attention.queryKeyNorm = .wholeProjection
      var routed = try reader.routed(
        layer: layer, scoring: .sigmoid, renormalizes: true, hasSelectionBias: true)
      return LayerDescription(
        mixer: .attention(attention), feedForward: FeedForward(parts: [.routed(routed)]))
    }
  }
}
