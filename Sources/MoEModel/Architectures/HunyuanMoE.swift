import MoECore
import MoEKernels

/// Hunyuan-A13B (technical report of Hunyuan-A13B-Instruct): a shared expert beside routed ones,
/// softmax weights of the chosen made to sum to 1; norms on query and key heads after the rotary
/// embedding.
///
/// Published files have the factor of their longer context in the rotary embedding's base.
enum HunyuanMoE {
  static let architecture = Architecture(
    name: "hunyuan-moe",
    models: "Hunyuan-A13B",
    summary: "Hunyuan-A13B: renormalised softmax top-k, a shared expert, norms after rotary.",
    smallModel: ["expert_shared_feed_forward_length": .unsigned(64)]
  ) { reader throws(ModelError) in
    try reader.refuseOtherMathematics(apartFrom: ["expert_shared_count"])
    return try reader.model { layer throws(ModelError) in
      var attention = try reader.attention(layer: layer, pairing: .neox)
      attention.queryKeyNorm = .perHead
      attention.normsAfterRotary = true
      let routed = try reader.routed(layer: layer, scoring: .softmax, renormalizes: true)
      let shared = try reader.shared(layer: layer, isGated: false)
      return LayerDescription(
        mixer: .attention(attention),
        feedForward: FeedForward(parts: [.dense(shared), .routed(routed)]))
    }
  }
}
