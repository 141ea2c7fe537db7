import MoECore
import MoEKernels

/// LFM2-8B-A1B and LFM2.5 (arXiv 2511.23404): gated short convolutions with some layers of
/// attention between them; dense layers first, then experts that sigmoid scores choose with a bias.
enum LFM2MoE {
  static let architecture = Architecture(
    name: "lfm2moe",
    models: "LFM2-8B-A1B, LFM2.5-8B-A1B",
    summary: "LFM2, LFM2.5: gated short convolutions, some attention, sigmoid scores with bias.",
    smallModel: [
      "block_count": .unsigned(4), "rope.freq_base": .float(1e6),
      "attention.head_count_kv": .array(.signed([0, 2, 0, 2])),
      "leading_dense_block_count": .unsigned(1), "expert_gating_func": .unsigned(2),
      "shortconv.l_cache": .unsigned(3),
    ]
  ) { reader throws(ModelError) in
    try reader.refuseOtherMathematics(apartFrom: ["leading_dense_block_count"])
    let denseCount = try reader.leadingDenseLayerCount()
    let hiddenSize = try reader.hiddenSize()
    // With one a convolution would see no other row, and there would be no state.
    let tapCount = try reader.integer("shortconv.l_cache", in: 2...ConvolutionShape.tapCountMax)
    var model = try reader.model { layer throws(ModelError) in
      var mixer = Mixer.shortConvolution(
        ShortConvolutionDescription(channelCount: hiddenSize, tapCount: tapCount))
      if try reader.attends(layer: layer) {
        var attention = try reader.attention(layer: layer, pairing: .neox)
        attention.queryKeyNorm = .perHead
        mixer = .attention(attention)
      }
      if layer < denseCount {
        let dense = try reader.dense(layer: layer)
        return LayerDescription(mixer: mixer, feedForward: FeedForward(parts: [.dense(dense)]))
      }
      var routed = try reader.routed(
        layer: layer, scoring: .sigmoid, renormalizes: true, hasSelectionBias: true)
      routed.router.renormalizationEpsilon = 1e-6
      return LayerDescription(mixer: mixer, feedForward: FeedForward(parts: [.routed(routed)]))
    }
    // The last norm has the name that elsewhere one behind the embedding has.
    if try reader.optionalShape(of: model.outputNormName + ".weight", rank: 1) == nil {
      model.outputNormName = "token_embd_norm"
    }
    return model
  }
}
