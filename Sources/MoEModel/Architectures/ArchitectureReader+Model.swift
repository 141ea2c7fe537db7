import MoECore
import MoEKernels

/// What families have in common: the numbers that they give under the same keys.
extension ArchitectureReader {
  /// A model with the layers that `describe` makes of their numbers.
  func model(
    epsilonKey: String = "attention.layer_norm_rms_epsilon",
    _ describe: (_ layer: Int) throws(ModelError) -> LayerDescription
  ) throws(ModelError) -> ModelDescription {
    let hiddenSize = try hiddenSize()
    let epsilon = try number(epsilonKey)
    try require(epsilon >= 0, epsilonKey, "\(epsilon)", "a number of at least 0")
    let (layerCount, predictingCount) = try layerCounts()
    var layers: [LayerDescription] = []
    for layer in 0..<layerCount { layers.append(try describe(layer)) }
    let description = ModelDescription(
      architecture: architecture, hiddenSize: hiddenSize,
      vocabularySize: try vocabularySize(hiddenSize: hiddenSize),
      contextLength: try integer("context_length", in: 1...1 << 30),
      normEpsilon: Float(epsilon), layers: layers,
      leftOutTensors: (layerCount..<layerCount + predictingCount).map {
        TensorTable.prefix(layer: $0)
      })
    // A tensor of factors has one for each pair.
    let hasFactors = contains("rope_freqs.weight") || contains("rope_factors_long.weight")
    let factored = description.rotaries.filter { hasFactors && $0.factors != .none }
    for rotary in factored {
      try require(
        rotary.dimension == factored[0].dimension, "rope.dimension_count", "\(rotary.dimension)",
        "\(factored[0].dimension) in all layers that share factors")
    }
    return description
  }

  func hiddenSize() throws(ModelError) -> Int { try integer("embedding_length", in: 1...1 << 20) }

  /// Layers that the next token passes through, and those behind them that predict further ones.
  private func layerCounts() throws(ModelError) -> (layers: Int, predicting: Int) {
    let all = try integer("block_count", in: 1...4096)
    let predicting = try optionalInteger("nextn_predict_layers", in: 0...all - 1) ?? 0
    return (all - predicting, predicting)
  }

  private func vocabularySize(hiddenSize: Int) throws(ModelError) -> Int {
    let name = ModelDescription.embeddingName
    if let shape = try optionalShape(of: name, rank: 2) { return shape[1] }
    // A model whose tensors are yet to be made.
    guard let size = try optionalInteger("vocab_size", in: 1...1 << 30) else {
      throw missingTensor(name)
    }
    return size
  }

  /// How many layers from the first on are dense.
  func leadingDenseLayerCount() throws(ModelError) -> Int {
    try optionalInteger("leading_dense_block_count", in: 0...4096) ?? 0
  }

  /// A dense part in the first layers; in the others, routed experts beside shared ones without a
  /// gate, where files say that there are some.
  func denseFirst(
    layer: Int, _ routed: () throws(ModelError) -> RoutedExpertsDescription
  ) throws(ModelError) -> [FeedForwardPart] {
    if layer < (try leadingDenseLayerCount()) { return [.dense(try dense(layer: layer))] }
    let sharedCount = try optionalInteger("expert_shared_count", in: 0...64) ?? 0
    let routed = FeedForwardPart.routed(try routed())
    return sharedCount == 0
      ? [routed] : [.dense(try shared(layer: layer, isGated: false)), routed]
  }

  /// Grouped-query attention over all positions before, without norms.
  ///
  /// - Parameters:
  ///   - suffix: Behind the keys of what a file gives apart for some layers (`rotary`).
  ///   - truncatesCorrectionRange: What YaRN does in the family; files do not say.
  ///   - factors: Where files of the family have the rotary embedding's.
  func attention(
    layer: Int, pairing: RotaryPairing, suffix: String = "",
    truncatesCorrectionRange: Bool = true, factors: RotaryFactors = .frequencies
  ) throws(ModelError) -> AttentionDescription {
    let headCount = try requireInteger("attention.head_count", layer: layer, in: 1...1 << 14)
    let hiddenSize = try hiddenSize()
    let dimensions = 2...KVView.headDimensionMax
    let headDimension =
      try optionalInteger("attention.key_length\(suffix)", layer: layer, in: dimensions)
      ?? hiddenSize / headCount
    // Rotary embedding turns pairs of elements.
    try require(
      (2...KVView.headDimensionMax).contains(headDimension) && headDimension % 2 == 0,
      "attention.key_length", "\(headDimension)",
      "an even number from 2 to \(KVView.headDimensionMax)")
    let valueDimension =
      try optionalInteger(
        "attention.value_length\(suffix)", layer: layer, in: 1...KVView.headDimensionMax)
      ?? headDimension
    let keyValueHeadCount =
      try optionalInteger("attention.head_count_kv", layer: layer, in: 1...headCount) ?? headCount
    try require(
      headCount % keyValueHeadCount == 0, "attention.head_count_kv", "\(keyValueHeadCount)",
      "a divisor of the head count \(headCount)")
    return AttentionDescription(
      headCount: headCount, keyValueHeadCount: keyValueHeadCount, headDimension: headDimension,
      valueDimension: valueDimension, isFused: contains("attn_qkv.weight", layer: layer),
      rotary: try rotary(
        headDimension: headDimension, pairing: try self.pairing(default: pairing),
        suffix: suffix,
        truncatesCorrectionRange: truncatesCorrectionRange, factors: factors))
  }

  /// Which elements of a head turn together: as the family's GGUF files have it or, where queries
  /// and keys are as they were published, as the metadata says.
  private func pairing(default pairing: RotaryPairing) throws(ModelError) -> RotaryPairing {
    switch try optionalString("rope.pairing") {
    case nil: return pairing
    case "neox": return .neox
    case "interleaved": return .interleaved
    case let other?:
      throw unsupported("rope.pairing", other.quotedForMessage, "neox or interleaved")
    }
  }

  func requireInteger(
    _ key: String, layer: Int, in range: ClosedRange<Int>
  ) throws(ModelError) -> Int {
    if let value = try optionalInteger(key, layer: layer, in: range) { return value }
    return try integer(key, in: range)
  }

  /// Routed experts with a SwiGLU.
  ///
  /// - Parameters:
  ///   - scoring, renormalizes: The family's; a file that says otherwise is right.
  func routed(
    layer: Int, scoring: RouterScoring, renormalizes: Bool, hasSelectionBias: Bool = false
  ) throws(ModelError) -> RoutedExpertsDescription {
    _ = try requireInteger("expert_count", layer: layer, in: 1...1 << 14)
    let expertCount = try expertCount(layer: layer)
    let used = try requireInteger("expert_used_count", layer: layer, in: 1...expertCount)
    var router = RouterDescription(
      expertCount: expertCount, expertsPerToken: used,
      scoring: try self.scoring(default: scoring), hasSelectionBias: hasSelectionBias,
      renormalizesWeights: try optionalFlag("expert_weights_norm") ?? renormalizes)
    let scale = try optionalNumber("expert_weights_scale") ?? 1
    // Files write 0 for none.
    if scale != 0 { router.weightScale = Float(scale) }
    let storage = storage(layer: layer)
    return RoutedExpertsDescription(
      router: router, width: try expertWidth(layer: layer, storage: storage),
      activation: .swiGLU, storage: storage)
  }

  /// Experts of a layer; 0 where the model has none. A layer may have been pruned: its router says
  /// how many are left.
  func expertCount(layer: Int) throws(ModelError) -> Int {
    let count = try optionalInteger("expert_count", layer: layer, in: 0...1 << 14) ?? 0
    guard let shape = try optionalShape(of: "ffn_gate_inp.weight", layer: layer, rank: 2),
      shape[0] == (try hiddenSize()), shape[1] > 1
    else { return count }
    return min(count, shape[1])
  }

  private func storage(layer: Int) -> RoutedExpertsDescription.Storage {
    if contains("ffn_gate_up_exps.weight", layer: layer) { return .stackedGateUp }
    return contains("ffn_up.0.weight", layer: layer) ? .single : .stacked
  }

  /// Rows of an expert's up projection, which the tensor knows best.
  private func expertWidth(
    layer: Int, storage: RoutedExpertsDescription.Storage
  ) throws(ModelError) -> Int {
    let shape: [Int]? =
      switch storage {
      case .stacked: try optionalShape(of: "ffn_up_exps.weight", layer: layer, rank: 3)
      case .stackedGateUp: try optionalShape(of: "ffn_gate_up_exps.weight", layer: layer, rank: 3)
      case .single: try optionalShape(of: "ffn_up.0.weight", layer: layer, rank: 2)
      }
    if let shape { return storage == .stackedGateUp ? shape[1] / 2 : shape[1] }
    let range = 1...1 << 24
    if let width = try optionalInteger("expert_feed_forward_length", layer: layer, in: range) {
      return width
    }
    return try requireInteger("feed_forward_length", layer: layer, in: range)
  }

  /// How scores are made of router logits.
  private func scoring(default scoring: RouterScoring) throws(ModelError) -> RouterScoring {
    switch try optionalInteger("expert_gating_func", in: 0...1 << 16) ?? 0 {
    case 0: return scoring
    case 1: return .softmax
    case 2: return .sigmoid
    case 3: return .softmaxOfChosen
    case let other:
      throw unsupported(
        "expert_gating_func", "\(other)",
        "1 (softmax), 2 (sigmoid) and 3 (softmax over the chosen)")
    }
  }

  /// A feed-forward network that every token uses, with a SwiGLU.
  func dense(layer: Int) throws(ModelError) -> DenseFeedForwardDescription {
    let shape = try optionalShape(of: "ffn_up.weight", layer: layer, rank: 2)
    var width = shape?[1] ?? 0
    if shape == nil {
      width = try requireInteger("feed_forward_length", layer: layer, in: 1...1 << 24)
    }
    return DenseFeedForwardDescription(kind: .dense, width: width, activation: .swiGLU)
  }

  /// The groups that a layer's experts are chosen by; nil where experts are chosen from all.
  ///
  /// - Parameter router: The layer's without them.
  func groups(
    of router: RouterDescription, rule: ExpertGroups.Rule
  ) throws(ModelError) -> ExpertGroups? {
    let key = "expert_group_count"
    let count = try optionalInteger(key, in: 0...1 << 14) ?? 0
    guard count > 1 else { return nil }
    let chosenCount = try optionalInteger("expert_group_used_count", in: 0...1 << 14) ?? 0
    var grouped = router
    grouped.groups = ExpertGroups(count: count, chosenCount: chosenCount, rule: rule)
    try require(
      grouped.isConsistent, key, "\(count), of which a token takes \(chosenCount)",
      "a divisor of the \(router.expertCount) experts, at most \(ExpertGroups.countMax), with room "
        + "for \(router.expertsPerToken) experts in the groups that a token takes")
    return grouped.groups
  }

  /// All shared experts of a layer as one.
  func shared(layer: Int, isGated: Bool) throws(ModelError) -> DenseFeedForwardDescription {
    let count = max(1, try optionalInteger("expert_shared_count", in: 0...64) ?? 1)
    let width: Int
    if let shape = try optionalShape(of: "ffn_up_shexp.weight", layer: layer, rank: 2) {
      width = shape[1]
    } else if let length = try optionalInteger(
      "expert_shared_feed_forward_length", layer: layer, in: 1...1 << 24)
    {
      width = length
    } else {
      width =
        count * (try requireInteger("expert_feed_forward_length", layer: layer, in: 1...1 << 24))
    }
    return DenseFeedForwardDescription(
      kind: .shared(isGated: isGated), width: width, activation: .swiGLU)
  }
}

extension ArchitectureReader {
  /// Keys whose value means mathematics that a family computes only where it says so: with what is
  /// accepted all the same.
  private static let mathematics: [(key: String, accepted: [MetadataValue], supported: String)] = [
    ("attention.clamp_kqv", [.float(0)], "no clamping"),
    ("attention.sliding_window", [.unsigned(0)], "0 (no window)"),
    ("attention.temperature_scale", [.float(0)], "0 (no temperature)"),
    ("attention.scale", [.float(0)], "the inverse root of the head dimension"),
    ("attn_logit_softcapping", [.float(0)], "no soft cap"),
    ("final_logit_softcapping", [.float(0)], "no soft cap"),
    ("embedding_scale", [.float(0), .float(1)], "1 (no scaling)"),
    ("residual_scale", [.float(0), .float(1)], "1 (no scaling)"),
    ("logit_scale", [.float(0), .float(1)], "1 (no scaling)"),
    ("expert_group_count", [.unsigned(0), .unsigned(1)], "1 (experts are not grouped)"),
    ("expert_shared_count", [.unsigned(0)], "0 (no shared expert)"),
    ("leading_dense_block_count", [.unsigned(0)], "0"),
    ("nextn_predict_layers", [.unsigned(0)], "0"),
    ("interleave_moe_layer_step", [.unsigned(0), .unsigned(1)], "1 (experts in every layer)"),
    ("moe_every_n_layers", [.unsigned(0), .unsigned(1)], "1 (experts in every layer)"),
  ]

  /// Refuses files whose numbers mean something that is not computed.
  ///
  /// - Parameter keys: Those that the family reads by itself.
  func refuseOtherMathematics(apartFrom keys: Set<String> = []) throws(ModelError) {
    for (key, accepted, supported) in Self.mathematics where !keys.contains(key) {
      try expect(key, absentOr: accepted, supported: supported)
    }
  }
}
