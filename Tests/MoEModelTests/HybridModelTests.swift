import MoECore
import MoEKernels
import MoEModel
import MoESynthetic
import MoETestSupport
import Testing

/// Which layers of a model are of which kind, and how its files may say so.
@Suite struct HybridModelTests {
  private static let hybridQwens = ["qwen35moe", "qwen3next"]

  private func kinds(_ model: EditedModel) throws -> String {
    String(
      try model.load().0.layers.map { layer -> Character in
        switch layer.mixer {
        case .attention, .latentAttention: "A"
        case .deltaNet: "D"
        case .shortConvolution: "C"
        case .mamba2: "M"
        case nil: "-"
        }
      })
  }

  @Test(arguments: hybridQwens)
  func aListOfRecurrentLayersCountsMoreThanAnInterval(_ architecture: String) throws {
    var model = try EditedModel(architecture)
    #expect(try kinds(model) == "DADA")
    model.changes["\(architecture).full_attention_interval"] = .some(nil)
    // The published interval is 4, which the tensors of layer 1 contradict.
    #expect(throws: ModelError.self) { try kinds(model) }
    model.changes["\(architecture).attention.recurrent_layers"] = .array(
      .bool([true, false, true, false]))
    #expect(try kinds(model) == "DADA")
    model.changes["\(architecture).attention.recurrent_layers"] = .array(.bool([true, false]))
    let error = #expect(throws: ModelError.self) { try kinds(model) }
    #expect(error?.description.contains("attention.recurrent_layers") == true)
  }

  @Test func layersWithoutHeadsOfKeysAreConvolutions() throws {
    #expect(try kinds(try EditedModel("lfm2moe")) == "CACA")
  }

  @Test func nemotronsLayersAreOneThingEach() throws {
    let model = try EditedModel("nemotron_h_moe")
    #expect(try kinds(model) == "M-A-M-")
    for layer in try model.load().0.layers {
      #expect((layer.mixer == nil) != (layer.feedForward == nil))
    }
  }

  /// Layers that predict further tokens are behind the others, and no part of the model.
  @Test(arguments: hybridQwens) func predictingLayersAreLeftOut(_ architecture: String) throws {
    var model = try EditedModel(architecture)
    let last = model.tensors.filter { $0.name.hasPrefix("blk.3.") }
    for var tensor in last {
      tensor.name = "blk.4." + tensor.name.dropFirst("blk.3.".count)
      model.tensors.append(tensor)
    }
    #expect(throws: ModelError.self) { try model.load() }
    model.changes["\(architecture).block_count"] = .unsigned(5)
    model.changes["\(architecture).nextn_predict_layers"] = .unsigned(1)
    #expect(try kinds(model) == "DADA")
  }

  /// Without a list every fourth layer of the published models has attention.
  @Test(arguments: hybridQwens) func everyFourthLayerAttends(_ architecture: String) throws {
    var model = try EditedModel(architecture) {
      $0["full_attention_interval"] = .unsigned(4)
      $0.layerCount = 8
    }
    model.changes["\(architecture).full_attention_interval"] = .some(nil)
    #expect(try kinds(model) == "DDDADDDA")
  }

  /// The order of heads is the family's; how projections are fused is the file's.
  @Test func headsShareKeysAsTheFamilyStoresThem() throws {
    let sharings = try Self.hybridQwens.map { name -> [RecurrenceRule.KeySharing] in
      try EditedModel(name).load().0.layers.compactMap { layer in
        if case .deltaNet(let deltaNet) = layer.mixer { deltaNet.keySharing } else { nil }
      }
    }
    #expect(sharings == [[.cycled, .cycled], [.grouped, .grouped]])
  }

  @Test(arguments: [
    ("qwen35moe", "ssm.time_step_rank", 3), ("qwen35moe", "ssm.inner_size", 66),
    ("qwen35moe", "ssm.conv_kernel", 0), ("qwen3next", "ssm.conv_kernel", 17),
    ("qwen3next", "ssm.state_size", 0), ("qwen3next", "ssm.group_count", 0),
    ("nemotron_h_moe", "ssm.time_step_rank", 5), ("nemotron_h_moe", "ssm.inner_size", 130),
    ("lfm2moe", "shortconv.l_cache", 1), ("lfm2moe", "shortconv.l_cache", 17),
    ("qwen35moe", "attention.value_length", 8),
  ])
  func sizesThatFitNothingAreRefusedByTheirKey(
    _ architecture: String, _ key: String, _ value: UInt64
  ) throws {
    var model = try EditedModel(architecture)
    model.changes["\(architecture).\(key)"] = .unsigned(value)
    let error = #expect(throws: ModelError.self) { try model.load() }
    #expect(error?.description.contains("\(architecture).\(key)") == true, "\(error as Any)")
  }
}
