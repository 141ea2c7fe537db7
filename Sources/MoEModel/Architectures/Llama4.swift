import MoECore
import MoEKernels

/// Llama 4 (model card of Llama 4 Scout and Maverick): in every layer, or every second one, a
/// shared expert beside a single routed one whose input is scaled by the sigmoid of its logit;
/// three of four layers see their chunk of the text, every fourth sees all of it without positions.
enum Llama4 {
  static let architecture = Architecture(
    name: "llama4",
    models: "Llama 4 Scout and Maverick, as text",
    summary: "Llama 4: one expert by its sigmoid, a shared one, chunks, layers without positions.",
    smallModel: [
      "block_count": .unsigned(4), "rope.freq_base": .float(5e5),
      "expert_used_count": .unsigned(1), "interleave_moe_layer_step": .unsigned(2),
    ], tensorNames: TensorNames(leftOut: TensorNames.encoders)
  ) { reader throws(ModelError) in
    try reader.refuseOtherMathematics(apartFrom: [
      "interleave_moe_layer_step", "expert_shared_count",
    ])
    let step = try reader.optionalInteger("interleave_moe_layer_step", in: 0...4096) ?? 1
    return try reader.model { layer throws(ModelError) in
      let parts: [FeedForwardPart]
      if step > 0 && (layer + 1).isMultiple(of: step) {
        var routed = try reader.routed(layer: layer, scoring: .sigmoid, renormalizes: false)
        routed.router.weightPlacement = .input
        parts = [.dense(try reader.shared(layer: layer, isGated: false)), .routed(routed)]
      } else {
        parts = [.dense(try reader.dense(layer: layer))]
      }
      return LayerDescription(
        mixer: .attention(try attention(layer: layer, reader)),
        feedForward: FeedForward(parts: parts))
    }
  }

  // Constants of the published models, which files do not give.
  private static let chunkPositionCount = 8192
  private static let positionlessLayerStep = 4
  private static let temperature = AttentionTemperature(step: 8192, slope: 0.1)
  /// Maverick's, the one model without norms on queries and keys.
  private static let plainExpertCount = 128

  private static func attention(
    layer: Int, _ reader: ArchitectureReader
  ) throws(ModelError) -> AttentionDescription {
    var attention = try reader.attention(layer: layer, pairing: .interleaved)
    if (layer + 1).isMultiple(of: positionlessLayerStep) {
      attention.rotary = nil
      attention.temperature = temperature
      return attention
    }
    attention.limits = .chunked(chunkPositionCount)
    let expertCount = try reader.optionalInteger("expert_count", in: 0...1 << 14)
    if expertCount != plainExpertCount {
      attention.queryKeyNorm = .perHeadWithoutWeight
      attention.normsAfterRotary = true
    }
    return attention
  }
}
