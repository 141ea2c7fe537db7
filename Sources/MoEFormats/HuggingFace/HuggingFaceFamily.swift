import MoECore

/// How the folders of a family of models name what a GGUF file of it has: the only place where
/// Hugging Face's names of configuration and tensors are written down.
struct HuggingFaceFamily: Sendable {
  /// `model_type` in `config.json`.
  let modelType: String
  /// The architecture's name in a GGUF file.
  let architecture: String
  /// Keys of the configuration that the family has besides those of all.
  var keys: [Key] = []
  /// Tensors that the family has besides those of all.
  var tensors: [Name] = []
  /// Keys that hold for the family unless the configuration says otherwise.
  var constants: [String: MetadataValue] = [:]
  /// Names of all families that mean something else in this one.
  var ignoredKeys: Set<String> = []
  /// What the family computes whatever its configurations say, with how they say it.
  var mathematics: [(name: String, accepted: [JSONTree])] = []
  /// The kinds of layers, one after the other and again, where the configuration names them.
  var layerTypes = ["full_attention"]

  /// A number of the configuration under the name that it has in a GGUF file.
  struct Key: Sendable {
    let name: String
    /// Without the architecture's prefix.
    let keys: [String]

    init(_ name: String, _ keys: String...) {
      self.name = name
      self.keys = keys
    }
  }

  /// A tensor of a folder and of a GGUF file. In layers the prefix is left out; a `*` is the number
  /// of an expert.
  struct Name: Sendable {
    let name: String
    let stored: String
    /// Whether columns stand where rows should, in experts whose elements are not quantised.
    let hasColumns: Bool
    /// Whether the rows of two halves, gate and up, are stored in turn.
    let takesTurns: Bool

    init(_ name: String, _ stored: String, hasColumns: Bool = false, takesTurns: Bool = false) {
      self.name = name
      self.stored = stored
      self.hasColumns = hasColumns
      self.takesTurns = takesTurns
    }
  }

  static let all = [
    HuggingFaceFamily(
      modelType: "olmoe", architecture: "olmoe", keys: [Key("clip_qkv", "attention.clamp_kqv")],
      tensors: experts),
    HuggingFaceFamily(modelType: "qwen3_moe", architecture: "qwen3moe", tensors: experts),
    HuggingFaceFamily(
      modelType: "qwen2_moe", architecture: "qwen2moe",
      keys: [Key("shared_expert_intermediate_size", "expert_shared_feed_forward_length")],
      tensors: experts + [
        Name("mlp.shared_expert.gate_proj.weight", "ffn_gate_shexp.weight"),
        Name("mlp.shared_expert.up_proj.weight", "ffn_up_shexp.weight"),
        Name("mlp.shared_expert.down_proj.weight", "ffn_down_shexp.weight"),
        Name("mlp.shared_expert_gate.weight", "ffn_gate_inp_shexp.weight"),
      ]),
    HuggingFaceFamily(
      modelType: "mixtral", architecture: "llama",
      tensors: [
        Name("block_sparse_moe.gate.weight", "ffn_gate_inp.weight"),
        Name("block_sparse_moe.experts.*.w1.weight", "ffn_gate.*.weight"),
        Name("block_sparse_moe.experts.*.w3.weight", "ffn_up.*.weight"),
        Name("block_sparse_moe.experts.*.w2.weight", "ffn_down.*.weight"),
      ],
      // Converters to GGUF reorder the rows of queries and keys; here they are as published.
      constants: ["rope.pairing": .string("neox")]),
    HuggingFaceFamily(
      modelType: "gpt_oss", architecture: "gpt-oss",
      tensors: [
        Name("self_attn.sinks", "attn_sinks.weight"),
        Name("post_attention_layernorm.weight", "post_attention_norm.weight"),
        Name("mlp.router.weight", "ffn_gate_inp.weight"),
        Name("mlp.router.bias", "ffn_gate_inp.bias"),
        Name(
          "mlp.experts.gate_up_proj", "ffn_gate_up_exps.weight", hasColumns: true,
          takesTurns: true),
        Name("mlp.experts.gate_up_proj_bias", "ffn_gate_up_exps.bias", takesTurns: true),
        Name("mlp.experts.down_proj", "ffn_down_exps.weight", hasColumns: true),
        Name("mlp.experts.down_proj_bias", "ffn_down_exps.bias"),
      ],
      mathematics: [
        ("swiglu_limit", [.number(7)]), ("swiglu_alpha", [.number(1.702)]),
        ("rope_scaling.truncate", [.bool(false)]), ("rope_parameters.truncate", [.bool(false)]),
      ],
      layerTypes: ["sliding_attention", "full_attention"]),
    deepSeek("deepseek_v3", scoring: "sigmoid"),
    deepSeek("deepseek_v2", scoring: "softmax"),
  ]

  /// - Parameter scoring: How scores are made where the configuration does not say.
  private static func deepSeek(_ modelType: String, scoring: String) -> HuggingFaceFamily {
    HuggingFaceFamily(
      modelType: modelType, architecture: "deepseek2",
      keys: [
        Key("kv_lora_rank", "attention.kv_lora_rank"),
        Key("q_lora_rank", "attention.q_lora_rank"),
        Key("qk_rope_head_dim", "rope.dimension_count"),
        Key("v_head_dim", "attention.value_length_mla"),
        Key("first_k_dense_replace", "leading_dense_block_count"),
        Key("n_routed_experts", "expert_count"), Key("n_shared_experts", "expert_shared_count"),
        Key("routed_scaling_factor", "expert_weights_scale"),
        Key("n_group", "expert_group_count"), Key("topk_group", "expert_group_used_count"),
      ],
      tensors: experts + latentAttention + [
        Name("mlp.gate.e_score_correction_bias", "exp_probs_b.bias"),
        Name("mlp.gate_proj.weight", "ffn_gate.weight"),
        Name("mlp.up_proj.weight", "ffn_up.weight"),
        Name("mlp.down_proj.weight", "ffn_down.weight"),
        Name("mlp.shared_experts.gate_proj.weight", "ffn_gate_shexp.weight"),
        Name("mlp.shared_experts.up_proj.weight", "ffn_up_shexp.weight"),
        Name("mlp.shared_experts.down_proj.weight", "ffn_down_shexp.weight"),
      ],
      constants: ["expert_gating_func": gatingFunctions[scoring] ?? .unsigned(0)],
      ignoredKeys: ["head_dim"],
      mathematics: [
        ("rope_interleave", [.bool(true)]), ("moe_layer_freq", [.number(1)]),
        ("attention_bias", [.bool(false)]),
        ("rope_scaling.truncate", [.bool(true)]), ("rope_parameters.truncate", [.bool(true)]),
        ("topk_method", ["noaux_tc", "greedy", "group_limited_greedy"].map { .string($0) }),
      ])
  }

  /// How a GGUF file names the ways in which scores are made of a router's logits.
  static let gatingFunctions: [String: MetadataValue] = [
    "softmax": .unsigned(1), "sigmoid": .unsigned(2),
  ]

  private static let latentAttention = [
    Name("self_attn.q_a_proj.weight", "attn_q_a.weight"),
    Name("self_attn.q_a_layernorm.weight", "attn_q_a_norm.weight"),
    Name("self_attn.q_b_proj.weight", "attn_q_b.weight"),
    Name("self_attn.kv_a_proj_with_mqa.weight", "attn_kv_a_mqa.weight"),
    Name("self_attn.kv_a_layernorm.weight", "attn_kv_a_norm.weight"),
    Name("self_attn.kv_b_proj.weight", "attn_kv_b.weight"),
  ]

  /// What all configurations have under the same names.
  static let commonKeys = [
    Key("hidden_size", "embedding_length"),
    Key("num_hidden_layers", "block_count"),
    Key("max_position_embeddings", "context_length"),
    Key("intermediate_size", "feed_forward_length"),
    Key("num_attention_heads", "attention.head_count"),
    Key("num_key_value_heads", "attention.head_count_kv"),
    Key("head_dim", "attention.key_length", "attention.value_length"),
    Key("rms_norm_eps", "attention.layer_norm_rms_epsilon"),
    Key("vocab_size", "vocab_size"),
    Key("num_experts", "expert_count"),
    Key("num_local_experts", "expert_count"),
    Key("num_experts_per_tok", "expert_used_count"),
    Key("moe_intermediate_size", "expert_feed_forward_length"),
    Key("norm_topk_prob", "expert_weights_norm"),
    Key("decoder_sparse_step", "moe_every_n_layers"),
  ]

  /// Beside the layers.
  static let endTensors = [
    Name("model.embed_tokens.weight", "token_embd.weight"),
    Name("model.norm.weight", "output_norm.weight"),
    Name("lm_head.weight", "output.weight"),
  ]

  /// What all layers have under the same names.
  static let layerTensors = [
    Name("input_layernorm.weight", "attn_norm.weight"),
    Name("self_attn.q_proj.weight", "attn_q.weight"),
    Name("self_attn.q_proj.bias", "attn_q.bias"),
    Name("self_attn.k_proj.weight", "attn_k.weight"),
    Name("self_attn.k_proj.bias", "attn_k.bias"),
    Name("self_attn.v_proj.weight", "attn_v.weight"),
    Name("self_attn.v_proj.bias", "attn_v.bias"),
    Name("self_attn.o_proj.weight", "attn_output.weight"),
    Name("self_attn.o_proj.bias", "attn_output.bias"),
    Name("self_attn.q_norm.weight", "attn_q_norm.weight"),
    Name("self_attn.k_norm.weight", "attn_k_norm.weight"),
    Name("post_attention_layernorm.weight", "ffn_norm.weight"),
  ]

  /// Experts as most families publish them, and stacked as the library keeps them in memory.
  private static let experts = [
    Name("mlp.gate.weight", "ffn_gate_inp.weight"),
    Name("mlp.experts.*.gate_proj.weight", "ffn_gate.*.weight"),
    Name("mlp.experts.*.up_proj.weight", "ffn_up.*.weight"),
    Name("mlp.experts.*.down_proj.weight", "ffn_down.*.weight"),
    Name("mlp.experts.gate_up_proj", "ffn_gate_up_exps.weight"),
    Name("mlp.experts.down_proj", "ffn_down_exps.weight"),
  ]

  /// Layers' tensors that hold what a program computes by itself.
  static let leftOut = ["self_attn.rotary_emb.inv_freq"]
}

extension HuggingFaceFamily {
  /// The name that a GGUF file has for a tensor, and what is known of it; nil for one that is not
  /// known.
  func known(_ name: String) -> (stored: String, row: Name)? {
    if let end = Self.endTensors.first(where: { $0.name == name }) { return (end.stored, end) }
    let prefix = "model.layers."
    guard name.hasPrefix(prefix) else { return nil }
    let parts = name.dropFirst(prefix.count).split(separator: ".", maxSplits: 1)
    guard parts.count == 2, let layer = Int(parts[0]), "\(layer)" == parts[0] else { return nil }
    let own = String(parts[1])
    let (pattern, expert) = Self.pattern(own)
    // A family's own names come first: they may be others for the same.
    guard
      let row = (tensors + Self.layerTensors).first(where: { $0.name == pattern || $0.name == own })
    else { return nil }
    return ("blk.\(layer)." + row.stored.replacing("*", with: expert), row)
  }

  /// Whether a tensor holds nothing that is read.
  func leavesOut(_ name: String) -> Bool {
    name.hasPrefix("model.layers.") && Self.leftOut.contains { name.hasSuffix("." + $0) }
  }

  /// A name with a star in the place of an expert's number, and the number.
  private static func pattern(_ name: String) -> (String, String) {
    var parts = name.split(separator: ".").map { String($0) }
    guard let place = parts.firstIndex(of: "experts"), place + 1 < parts.count,
      let expert = Int(parts[place + 1]), "\(expert)" == parts[place + 1]
    else { return (name, "") }
    parts[place + 1] = "*"
    return (parts.joined(separator: "."), "\(expert)")
  }
}
