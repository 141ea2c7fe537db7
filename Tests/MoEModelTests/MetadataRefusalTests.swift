import MoECore
import MoEKernels
import MoEModel
import MoESynthetic
import MoETestSupport
import Testing

/// Numbers of the metadata that the decoder cannot run with, or would run wrongly with.
@Suite struct MetadataRefusalTests {
  static let architectures = ArchitectureRegistry.all.map(\.name)

  /// Keys without the architecture's prefix, and values that must be refused.
  static let refused: [(key: String, value: MetadataValue)] = [
    ("rope.scaling.type", .string("dynamic")), ("rope.scaling.type", .string("longrope")),
    ("rope.scaling.type", .unsigned(1)), ("rope.scaling.factor", .float(-4)),
    ("rope.scale_linear", .string("2")), ("attention.clamp_kqv", .float(8)),
    ("expert_gating_func", .unsigned(9)), ("expert_weights_norm", .unsigned(3)),
    ("expert_shared_count", .string("1")), ("leading_dense_block_count", .signed(-1)),
    ("expert_group_count", .unsigned(4)), ("logit_scale", .float(0.5)),
    ("attention.value_length", .unsigned(0)), ("attention.key_length", .unsigned(0)),
    ("attention.key_length", .unsigned(1)), ("attention.key_length", .unsigned(17)),
    ("attention.key_length", .unsigned(4096)), ("attention.head_count_kv", .unsigned(3)),
    ("attention.head_count_kv", .unsigned(0)), ("attention.head_count_kv", .unsigned(8)),
    ("rope.dimension_count", .unsigned(15)), ("rope.dimension_count", .unsigned(18)),
    ("rope.dimension_count", .unsigned(0)), ("embedding_length", .unsigned(0)),
    ("embedding_length", .signed(-64)), ("embedding_length", .string("64")),
    ("attention.head_count", .unsigned(0)), ("attention.head_count", .unsigned(1 << 40)),
    ("expert_used_count", .unsigned(0)),
    ("expert_used_count", .unsigned(9)), ("block_count", .unsigned(0)),
    ("block_count", .unsigned(1 << 60)), ("context_length", .unsigned(0)),
    ("attention.layer_norm_rms_epsilon", .float(.nan)),
    ("attention.layer_norm_rms_epsilon", .float(-1)), ("rope.freq_base", .float(.infinity)),
    ("rope.freq_base", .float(0)),
  ]

  @Test(arguments: architectures, refused.indices)
  func aValueThatCannotBeRunIsRefusedByItsKey(architecture: String, index: Int) throws {
    let (key, value) = Self.refused[index]
    // What the family itself has is no bad value.
    let own = ArchitectureRegistry.entry(named: architecture)?.smallModel[key]
    if own?.isEquivalent(to: value) == true { return }
    var model = try EditedModel(architecture)
    model.changes["\(architecture).\(key)"] = value
    let error = #expect(throws: ModelError.self) { try model.load() }
    #expect(
      error?.description.contains("\(architecture).\(key)") == true, "\(key): \(error as Any)")
  }

  /// A head of no size follows from numbers that are each fine.
  @Test(arguments: architectures) func moreHeadsThanElementsAreRefused(
    _ architecture: String
  ) throws {
    var model = try EditedModel(architecture)
    model.changes["\(architecture).attention.key_length"] = .some(nil)
    model.changes["\(architecture).attention.value_length"] = .some(nil)
    model.changes["\(architecture).attention.head_count"] = .unsigned(100)
    #expect(throws: ModelError.self) { try model.load() }
  }

  /// What a file says of its router counts, whatever its family does.
  @Test(arguments: architectures) func theFilesOwnRoutingCounts(_ architecture: String) throws {
    var model = try EditedModel(architecture)
    for renormalizes in [true, false] {
      model.changes["\(architecture).expert_weights_norm"] = .bool(renormalizes)
      model.changes["\(architecture).expert_gating_func"] = .unsigned(2)
      model.changes["\(architecture).expert_weights_scale"] = .float(2.5)
      let routers = try model.load().0.routers.compactMap(\.self)
      #expect(!routers.isEmpty)
      for router in routers {
        #expect(router.renormalizesWeights == renormalizes)
        #expect(router.scoring == .sigmoid && router.weightScale == 2.5)
      }
    }
  }

  /// Values that say what is computed anyway, or what can be computed otherwise.
  static let accepted: [(key: String, value: MetadataValue)] = [
    ("rope.scaling.type", .string("none")), ("rope.scaling.factor", .float(1)),
    ("rope.scaling.type", .string("yarn")), ("rope.scaling.type", .string("linear")),
    ("rope.scaling.factor", .float(4)), ("rope.scale_linear", .float(0)),
    ("attention.clamp_kqv", .float(0)),
    ("expert_gating_func", .unsigned(1)), ("expert_weights_scale", .float(1)),
    ("expert_group_count", .unsigned(1)), ("rope.dimension_count", .unsigned(8)),
  ]

  @Test(arguments: architectures, accepted.indices)
  func aValueThatCanBeRunIsAccepted(architecture: String, index: Int) throws {
    let (key, value) = Self.accepted[index]
    var model = try EditedModel(architecture)
    // A tensor of rotary factors has one for each pair.
    model.tensors.removeAll { $0.name.hasPrefix("rope_f") }
    model.changes["\(architecture).\(key)"] = value
    #expect(throws: Never.self) { try model.load() }
  }

  static let required = [
    "embedding_length", "attention.head_count", "expert_count", "expert_used_count", "block_count",
    "context_length", "attention.layer_norm_rms_epsilon",
  ]

  @Test(arguments: architectures, required)
  func aMissingNumberIsNamed(architecture: String, key: String) throws {
    var model = try EditedModel(architecture)
    model.changes["\(architecture).\(key)"] = .some(nil)
    // A family with dense models may do without experts.
    if key == "expert_count",
      (try? ArchitectureRegistry.describe(metadata: model, tensors: [])) != nil
    {
      return
    }
    let error = #expect(throws: ModelError.self) { try model.load() }
    guard case .metadata(let found) = error else {
      Issue.record("\(error as Any)")
      return
    }
    #expect(found.key == "\(architecture).\(key)" && found.found == nil)
  }

  /// Parts of the smaller models of Gemma 4. Files with experts say that they have none of them.
  @Test(arguments: ["attention.shared_kv_layers", "embedding_length_per_layer_input"])
  func partsOfGemmasWithoutExpertsAreRefusedByTheirKey(_ key: String) throws {
    var model = try EditedModel("gemma4")
    let none: [MetadataValue?] = [nil, .unsigned(0), .signed(0)]
    for value in none {
      model.changes["gemma4.\(key)"] = .some(value)
      #expect(throws: Never.self) { try model.load() }
    }
    let some: [MetadataValue] = [
      .unsigned(20), .signed(256), .float(0.5), .string("0"), .array(.unsigned([0, 20])),
    ]
    for value in some {
      model.changes["gemma4.\(key)"] = value
      let error = #expect(throws: ModelError.self) { try model.load() }
      guard case .unsupportedValue("gemma4.\(key)", _, "0", _) = error else {
        Issue.record("\(value): \(error as Any)")
        continue
      }
    }
  }

  @Test(arguments: architectures) func theDescriptionHoldsTheFilesNumbers(
    _ architecture: String
  ) throws {
    let model = EditedModel.synthetic(architecture)
    let description = try EditedModel(architecture).load().0
    #expect(description.architecture == architecture)
    #expect(description.layerCount == model.layerCount)
    #expect(description.hiddenSize == model.hiddenSize)
    #expect(description.vocabularySize == model.vocabularySize)
    #expect(description.contextLength == model.contextLength)
    let routed = try #require(description.layers.last?.feedForward?.routed)
    #expect(routed.width == model.expertWidth)
    #expect(routed.router.expertCount == model.expertCount)
    #expect(routed.router.expertsPerToken == model.expertsPerToken)
    for (number, layer) in description.layers.enumerated() {
      guard let attention = layer.mixer?.attention else { continue }
      // Some families give layers with a window keys of their own.
      func integer(_ key: String) -> Int? {
        let own = attention.limits == .causal ? nil : model[key + "_swa"]
        let value = own ?? model[key]
        guard case .array(let array) = value else { return value?.integer }
        return array.integers?[number]
      }
      #expect(attention.headCount == integer("attention.head_count"))
      #expect(attention.keyValueHeadCount == integer("attention.head_count_kv"))
      #expect(attention.headDimension == integer("attention.key_length"))
      #expect(attention.valueDimension == integer("attention.value_length"))
      guard let rotary = attention.rotary else { continue }
      #expect(rotary.dimension == integer("rope.dimension_count") ?? attention.headDimension)
    }
    for layer in description.layers {
      guard case .latentAttention(let attention) = layer.mixer else { continue }
      func number(_ key: String) -> Int? { model["attention.\(key)"]?.integer }
      #expect(attention.headCount == model.headCount)
      #expect(attention.latentDimension == number("kv_lora_rank"))
      #expect(attention.queryLatentDimension == number("q_lora_rank"))
      #expect(attention.queryDimension == number("key_length_mla"))
      #expect(attention.valueDimension == number("value_length_mla"))
      #expect(attention.rotary.dimension == model["rope.dimension_count"]?.integer)
    }
  }

  @Test func everyArchitectureHasANameAndASummary() {
    #expect(Set(Self.architectures).count == Self.architectures.count)
    for entry in ArchitectureRegistry.all {
      #expect(!entry.name.isEmpty && entry.summary.hasSuffix("."))
    }
  }
}
