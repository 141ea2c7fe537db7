import MoECore
import MoEKernels

/// Gemma 4 (model card of gemma-4-26B-A4B): a dense part and routed experts side by side, each with
/// norms of its own before and after; layers with a window and layers without, of different head
/// shape, the latter's values made of what the key projection gives; capped logits.
///
/// Files without experts have the dense part alone.
enum Gemma4 {
  static let architecture = Architecture(
    name: "gemma4",
    models: "Gemma 4 26B-A4B, the larger dense one; not those with embeddings for each layer",
    summary: "Gemma 4: a dense part beside the experts, local and global layers, capped logits.",
    smallModel: [
      "block_count": .unsigned(3), "attention.sliding_window": .unsigned(24),
      "attention.sliding_window_pattern": .array(.bool([true, false, true])),
      "attention.head_count_kv": .array(.unsigned([2, 1, 2])),
      "attention.key_length_swa": .unsigned(8), "attention.value_length_swa": .unsigned(8),
      "rope.freq_base": .float(1e6), "rope.freq_base_swa": .float(1e4),
      "rope.dimension_count": .unsigned(16), "rope.dimension_count_swa": .unsigned(8),
      "final_logit_softcapping": .float(30),
    ], usualTensors: [.rotaryFactors],
    tensorNames: TensorNames(
      others: ["ffn_gate_inp.per_expert_scale": "ffn_down_exps.scale"],
      leftOut: TensorNames.encoders + ["model.vision_tower."])
  ) { reader throws(ModelError) in
    try reader.refuseOtherMathematics(apartFrom: [
      "attention.sliding_window", "final_logit_softcapping",
    ])
    // The smaller models of the family, which have no experts.
    for key in ["attention.shared_kv_layers", "embedding_length_per_layer_input"] {
      try reader.expect(key, absentOr: [.unsigned(0)], supported: "0")
    }
    let window = try reader.integer("attention.sliding_window", in: 1...1 << 30)
    var model = try reader.model { layer throws(ModelError) in
      let key = "attention.sliding_window_pattern"
      guard let isLocal = try reader.optionalFlag(key, layer: layer) else {
        throw reader.unsupported(key, "nothing", "true or false for each layer")
      }
      return try Gemma4.layer(layer, window: isLocal ? window : nil, reader)
    }
    model.embeddingScale = Float(model.hiddenSize).squareRoot()
    model.logitSoftCap = try reader.factor("final_logit_softcapping")
    return model
  }

  private static func layer(
    _ layer: Int, window: Int?, _ reader: ArchitectureReader
  ) throws(ModelError) -> LayerDescription {
    var attention = try reader.attention(
      layer: layer, pairing: .neox, suffix: window == nil ? "" : "_swa",
      factors: window == nil ? .frequencies : .none)
    attention.queryKeyNorm = .perHead
    attention.normsValues = true
    attention.productScale = 1
    if let window { attention.limits = .sliding(window) }
    if window == nil && !reader.contains("attn_v.weight", layer: layer) {
      attention.valueSource = .keyProjection
      try reader.require(
        attention.valueDimension == attention.headDimension, "attention.value_length",
        "\(attention.valueDimension)", "the keys' length, \(attention.headDimension)")
    }
    var dense = try reader.dense(layer: layer)
    dense.activation = .geGLU
    var feedForward = FeedForward(
      parts: [.dense(dense)], join: Join(normName: "post_ffw_norm"))
    if try reader.expertCount(layer: layer) > 0 {
      dense.postNormName = "post_ffw_norm_1"
      var routed = try reader.routed(layer: layer, scoring: .softmax, renormalizes: true)
      routed.activation = .geGLU
      routed.normName = "pre_ffw_norm_2"
      routed.postNormName = "post_ffw_norm_2"
      routed.routerInput = .scaledStream
      routed.router.hasExpertScale = true
      feedForward.parts = [.dense(dense), .routed(routed)]
    }
    return LayerDescription(
      mixer: .attention(attention), mixerJoin: Join(normName: "post_attention_norm"),
      feedForward: feedForward, hasOutputScale: true)
  }
}
