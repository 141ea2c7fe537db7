import MoECore

/// `config.json` as the metadata of a GGUF file would have it.
///
/// Names that have no meaning here are passed over, since configurations are full of what matters
/// to training alone; those that would change the mathematics are refused by name.
struct HuggingFaceConfiguration {
  let family: HuggingFaceFamily
  let tree: JSONTree
  private let path: String

  init(_ path: String) throws(FormatError) {
    self.path = path
    tree = try FolderFile.json(path)
    guard let type = tree["model_type"]?.string else {
      throw FormatError(
        .notModel, path: path, subject: "model_type", wanted: "the kind of model",
        found: "no such name")
    }
    guard let family = HuggingFaceFamily.all.first(where: { $0.modelType == type }) else {
      throw FormatError(
        .unsupported, path: path, subject: "model_type",
        wanted: "one of " + HuggingFaceFamily.all.map(\.modelType).joined(separator: ", "),
        found: type.quotedForMessage,
        advice: "convert the model to GGUF, which more families are read from")
    }
    self.family = family
    try refuseOtherMathematics()
  }

  /// Names that mean mathematics which no family here has: with what is accepted all the same.
  private static let mathematics: [(name: String, accepted: [JSONTree])] = [
    ("hidden_act", [.string("silu")]),
    ("mlp_only_layers", [.array([])]),
    ("partial_rotary_factor", [.number(1)]),
    ("attn_logit_softcapping", []), ("final_logit_softcapping", []),
    ("logit_scale", [.number(1)]), ("embedding_multiplier", [.number(1)]),
    ("residual_multiplier", [.number(1)]), ("attention_multiplier", []),
  ]

  private func refuseOtherMathematics() throws(FormatError) {
    for (name, accepted) in Self.mathematics + family.mathematics {
      let value = name.split(separator: ".").reduce(tree) { $0?[String($1)] }
      guard let found = value, !accepted.contains(found) else { continue }
      let wanted = accepted.map(\.summary).joined(separator: " or ")
      throw unsupported(name, accepted.isEmpty ? "none" : wanted, found)
    }
    for (layer, type) in (tree["layer_types"]?.array ?? []).enumerated() {
      let wanted = family.layerTypes[layer % family.layerTypes.count]
      guard type.string == wanted else {
        throw unsupported("layer_types", "\(wanted) in layer \(layer)", type)
      }
    }
    try refuseOtherQuantization()
  }

  /// Tensors themselves say what they are; what is checked here is what they do not say.
  private func refuseOtherQuantization() throws(FormatError) {
    guard let quantization = tree["quantization_config"] else { return }
    let name = "quantization_config"
    switch quantization["quant_method"]?.string {
    case "mxfp4": break
    case "fp8":
      let blocks = JSONTree.array([.number(128), .number(128)])
      guard quantization["weight_block_size"] == blocks else {
        throw unsupported(
          name, "fp8 with a weight_block_size of 128 and 128",
          quantization["weight_block_size"] ?? .null)
      }
      guard quantization["fmt"]?.string ?? "e4m3" == "e4m3" else {
        throw unsupported(name, "fp8 with the fmt e4m3", quantization["fmt"] ?? .null)
      }
    case let method:
      throw unsupported(
        name, "the quant_method mxfp4 or fp8", method.map { .string($0) } ?? quantization)
    }
  }

  private func unsupported(_ name: String, _ wanted: String, _ found: JSONTree) -> FormatError {
    FormatError(
      .unsupported, path: path, subject: name.quotedForMessage, wanted: wanted,
      found: found.summary, advice: "convert the model to GGUF")
  }

  /// By the keys of a GGUF file.
  func values() throws(FormatError) -> [String: MetadataValue] {
    var values: [String: MetadataValue] = [:]
    func set(_ key: String, _ value: MetadataValue) {
      values["\(family.architecture).\(key)"] = value
    }
    for (key, value) in family.constants { set(key, value) }
    for row in HuggingFaceFamily.commonKeys + family.keys
    where !family.ignoredKeys.contains(row.name) {
      guard let value = tree[row.name] else { continue }
      let found: MetadataValue? =
        switch value {
        case .number(let number): .number(number)
        case .bool(let bool): .bool(bool)
        default: nil
        }
      guard let found else { throw unsupported(row.name, "a number", value) }
      for key in row.keys { set(key, found) }
    }
    for (key, value) in try latentAttention() { set(key, value) }
    for (key, value) in try groups() { set(key, value) }
    if tree["use_sliding_window"]?.bool ?? true, let window = tree["sliding_window"]?.number {
      set("attention.sliding_window", .number(window))
    }
    for (key, value) in try rotary() { set(key, value) }
    values["general.architecture"] = .string(family.architecture)
    return values
  }

  /// Sizes of a head whose keys are made of latents.
  private func latentAttention() throws(FormatError) -> [String: MetadataValue] {
    guard let plain = tree["qk_nope_head_dim"]?.number,
      let turning = tree["qk_rope_head_dim"]?.number
    else { return [:] }
    return ["attention.key_length_mla": .number(plain + turning)]
  }

  /// How experts are scored, and whether by groups.
  private func groups() throws(FormatError) -> [String: MetadataValue] {
    var values: [String: MetadataValue] = [:]
    if let scoring = tree["scoring_func"] {
      let functions = HuggingFaceFamily.gatingFunctions
      guard let function = scoring.string.flatMap({ functions[$0] }) else {
        throw unsupported(
          "scoring_func", functions.keys.sorted().joined(separator: " or "), scoring)
      }
      values["expert_gating_func"] = function
    }
    if tree["topk_method"]?.string == "greedy" { values["expert_group_count"] = .unsigned(1) }
    return values
  }

  /// `rope_theta` and `rope_scaling`, or `rope_parameters`, which newer files have for both.
  private func rotary() throws(FormatError) -> [String: MetadataValue] {
    var values: [String: MetadataValue] = [:]
    let name = tree["rope_parameters"] == nil ? "rope_scaling" : "rope_parameters"
    let scaling = tree[name]
    if let base = scaling?["rope_theta"]?.number ?? tree["rope_theta"]?.number {
      values["rope.freq_base"] = .number(base)
    }
    guard let scaling else { return values }
    // Of equal ones the quotient, by which positions would be scaled, is 1.
    let multiplier = scaling["mscale_all_dim"]?.number
    guard scaling.object?["attention_factor"] ?? .null == .null,
      multiplier == scaling["mscale"]?.number, multiplier == nil || tree["kv_lora_rank"] != nil
    else { throw unsupported(name, "no factor of attention", scaling) }
    switch scaling["rope_type"]?.string ?? scaling["type"]?.string ?? "default" {
    case "default": break
    case let type where type == "linear" || type == "yarn":
      guard let factor = scaling["factor"]?.number else {
        throw unsupported(name, "a factor", scaling)
      }
      values["rope.scaling.type"] = .string(type)
      values["rope.scaling.factor"] = .number(factor)
      if let multiplier {
        values["rope.scaling.yarn_log_multiplier"] = .float(0.1 * multiplier)
      }
      let names = [
        ("original_max_position_embeddings", "rope.scaling.original_context_length"),
        ("beta_fast", "rope.scaling.yarn_beta_fast"), ("beta_slow", "rope.scaling.yarn_beta_slow"),
      ]
      for (name, key) in names {
        if let number = scaling[name]?.number { values[key] = .number(number) }
      }
    case let type:
      throw unsupported("\(name).rope_type", "default, linear or yarn", .string(type))
    }
    return values
  }

  /// Layers that predict tokens after the next: those behind the others.
  var predictingLayers: Range<Int> {
    let count = { tree[$0]?.integer.map { min(max($0, 0), 1 << 16) } ?? 0 }
    let first = count("num_hidden_layers")
    return first..<first + count("num_nextn_predict_layers")
  }

  /// Whether the embedding serves as output matrix, whatever the file has for one.
  var tiesEmbeddings: Bool { tree["tie_word_embeddings"]?.bool ?? false }
}

extension MetadataValue {
  /// An integer where the number is one.
  static func number(_ number: Double) -> MetadataValue {
    Int64(exactly: number).map { .signed($0) } ?? .float(number)
  }
}

extension JSONTree {
  /// The value in a few words, for messages.
  var summary: String {
    switch self {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .number(let value): Int(exactly: value).map { "\($0)" } ?? "\(value)"
    case .string(let value): value.quotedForMessage
    case .array(let elements): "a list of \(elements.count)"
    case .object(let members):
      "members \(members.keys.sorted().joined(separator: ", ").quotedForMessage)"
    }
  }
}
