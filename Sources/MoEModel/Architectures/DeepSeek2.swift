import MoECore
import MoEKernels

/// DeepSeek-V2 (arXiv 2405.04434), DeepSeek-V3 and R1 (arXiv 2412.19437), and what is built alike:
/// Kimi-K2, Moonlight, GLM-4.7-Flash. Latent attention, leading dense layers, shared experts beside
/// routed ones.
///
/// From V3 on, sigmoid scores with a bias choose experts of the best groups; before, softmax scores
/// did, unbiased. No published model has sigmoid scores without a bias: a file that lacks it is not
/// whole. Files may carry layers that predict the token after the next; they are not read.
enum DeepSeek2 {
  static let architecture = Architecture(
    name: "deepseek2", aliases: ["glm4moelite"],
    models: "DeepSeek-V2, V2-Lite, V3, R1; Kimi-K2, Moonlight; GLM-4.7-Flash",
    summary: "DeepSeek-V2, V3, R1, Kimi-K2, Moonlight, GLM-4.7-Flash: latent attention, groups.",
    smallModel: [
      "block_count": .unsigned(3), "leading_dense_block_count": .unsigned(1),
      "attention.head_count_kv": .unsigned(1), "attention.kv_lora_rank": .unsigned(24),
      "attention.q_lora_rank": .unsigned(40), "attention.key_length": .unsigned(32),
      "attention.value_length": .unsigned(24), "attention.key_length_mla": .unsigned(16),
      "attention.value_length_mla": .unsigned(16), "rope.dimension_count": .unsigned(8),
      "rope.scaling.type": .string("yarn"), "rope.scaling.factor": .float(8),
      "rope.scaling.original_context_length": .unsigned(32),
      "rope.scaling.yarn_log_multiplier": .float(0.1), "expert_used_count": .unsigned(3),
      "expert_shared_count": .unsigned(2), "expert_group_count": .unsigned(2),
      "expert_group_used_count": .unsigned(1), "expert_gating_func": .unsigned(2),
      "expert_weights_norm": .bool(true), "expert_weights_scale": .float(2.5),
    ], tensorNames: TensorNames(others: ["exp_probs_b": "exp_probs_b.bias"])
  ) { reader throws(ModelError) in
    try reader.refuseOtherMathematics(apartFrom: [
      "expert_shared_count", "leading_dense_block_count", "nextn_predict_layers", groupCountKey,
    ])
    var model = try reader.model { layer throws(ModelError) in
      let attention = try reader.latentAttention(layer: layer)
      let parts = try reader.denseFirst(layer: layer) { () throws(ModelError) in
        try routed(reader, layer: layer)
      }
      return LayerDescription(
        mixer: .latentAttention(attention), feedForward: FeedForward(parts: parts))
    }
    // Beside the split tensors it says nothing new.
    model.leftOutTensors += model.layers.indices.map {
      TensorTable.prefix(layer: $0) + LatentAttentionDescription.joinedName
    }
    return model
  }

  private static let groupCountKey = "expert_group_count"

  private static func routed(
    _ reader: ArchitectureReader, layer: Int
  ) throws(ModelError) -> RoutedExpertsDescription {
    var routed = try reader.routed(
      layer: layer, scoring: try defaultScoring(reader), renormalizes: false)
    let isSigmoid = routed.router.scoring == .sigmoid
    routed.router.hasSelectionBias =
      isSigmoid || reader.contains("exp_probs_b.bias", layer: layer)
    let rule: ExpertGroups.Rule = isSigmoid ? .bestTwoSum : .max
    if try reader.optionalInteger(groupCountKey, in: 0...1 << 14) == nil {
      routed.router.groups = publishedGroups(
        of: routed.router, hiddenSize: try reader.hiddenSize(), rule: rule)
    } else {
      routed.router.groups = try reader.groups(of: routed.router, rule: rule)
    }
    return routed
  }

  /// What files mean that do not say how scores are made: softmax, as DeepSeek-V2 has it. Those of
  /// GLM-4.7-Flash do not say it either and mean sigmoid; their size tells them apart.
  private static func defaultScoring(
    _ reader: ArchitectureReader
  ) throws(ModelError) -> RouterScoring {
    let layerCount = try reader.integer("block_count", in: 1...4096)
    let vocabulary = try reader.optionalShape(of: ModelDescription.embeddingName, rank: 2)?[1]
    return (47...48).contains(layerCount) && vocabulary == 154_880 ? .sigmoid : .softmax
  }

  /// The first files of the two large models do not say that their experts are in groups; what was
  /// published with them does: DeepSeek-V2 takes 3 of 8 groups, V3 and R1 take 4 of 8.
  private static func publishedGroups(
    of router: RouterDescription, hiddenSize: Int, rule: ExpertGroups.Rule
  ) -> ExpertGroups? {
    switch (hiddenSize, router.expertCount, router.scoring) {
    case (5120, 160, .softmax): ExpertGroups(count: 8, chosenCount: 3, rule: rule)
    case (7168, 256, .sigmoid): ExpertGroups(count: 8, chosenCount: 4, rule: rule)
    default: nil
    }
  }
}
