package import MoECore

/// A family of models: how the metadata of its files becomes a `ModelDescription`.
package struct Architecture: Sendable {
  /// As `general.architecture` names it.
  package let name: String
  /// Other names for it, of files that other tools write; keys then begin with these.
  package let aliases: [String]
  /// Published models of the family, and what of their files is left out.
  package let models: String
  /// What the family has that others have otherwise.
  package let summary: String
  /// Metadata of a small model of the family, keys without the architecture's prefix; what all
  /// families have is left out (`ArchitectureRegistry.smallModel`). Models for tests are written by
  /// it.
  package let smallModel: [String: MetadataValue]
  /// Optional tensors that its published models have.
  package let usualTensors: Set<TensorRole>
  package let tensorNames: TensorNames
  /// What files mean that do not say it, keys without the architecture's prefix.
  let unsaid: [String: MetadataValue]
  package let describe: @Sendable (ArchitectureReader) throws(ModelError) -> ModelDescription

  init(
    name: String, aliases: [String] = [], models: String, summary: String,
    smallModel: [String: MetadataValue] = [:], usualTensors: Set<TensorRole> = [],
    tensorNames: TensorNames = TensorNames(), unsaid: [String: MetadataValue] = [:],
    describe: @escaping @Sendable (ArchitectureReader) throws(ModelError) -> ModelDescription
  ) {
    self.name = name
    self.aliases = aliases
    self.models = models
    self.summary = summary
    self.smallModel = smallModel
    self.usualTensors = usualTensors
    self.tensorNames = tensorNames
    self.unsaid = unsaid
    self.describe = describe
  }
}

/// Every architecture that the decoder can run.
package enum ArchitectureRegistry {
  package static let all: [Architecture] = [
    OLMoE.architecture,
    Qwen3MoE.architecture,
    Llama.architecture,
    Qwen2MoE.architecture,
    GLM4MoE.architecture,
    GPTOSS.architecture,
    Qwen35MoE.architecture,
    Qwen3Next.architecture,
    Qwen3VLMoE.architecture,
    LFM2MoE.architecture,
    NemotronHMoE.architecture,
    DeepSeek2.architecture,
    Gemma4.architecture,
    MiniMaxM2.architecture,
    Dots1.architecture,
    HunyuanMoE.architecture,
    PhiMoE.architecture,
    Llama4.architecture,
    GraniteMoE.architecture,
    Ernie45MoE.architecture,
    BailingMoE2.architecture,
  ]

  /// What a small model of any family has, keys without the architecture's prefix.
  package static let smallModel: [String: MetadataValue] = [
    "context_length": .unsigned(256),
    "embedding_length": .unsigned(64),
    "block_count": .unsigned(2),
    "vocab_size": .unsigned(512),
    "feed_forward_length": .unsigned(96),
    "attention.head_count": .unsigned(4),
    "attention.head_count_kv": .unsigned(2),
    "attention.key_length": .unsigned(16),
    "attention.value_length": .unsigned(16),
    "attention.layer_norm_rms_epsilon": .float(1e-5),
    "rope.freq_base": .float(1e4),
    "expert_count": .unsigned(8),
    "expert_used_count": .unsigned(2),
    "expert_feed_forward_length": .unsigned(32),
  ]

  /// - Parameter name: Its own, or an alias.
  package static func entry(named name: String) -> Architecture? {
    all.first { $0.name == name || $0.aliases.contains(name) }
  }

  /// Describes the model of a file from its metadata and tensor table.
  package static func describe(
    metadata: some MetadataSource, tensors: [TensorDescriptor]
  ) throws(ModelError) -> ModelDescription {
    let reader = try ArchitectureReader(metadata: metadata, tensors: tensors)
    guard let architecture = entry(named: reader.architecture) else {
      throw .unsupportedArchitecture(
        found: reader.architecture, supported: all.map(\.name), file: reader.file)
    }
    let names = architecture.tensorNames
    var description = try architecture.describe(
      try ArchitectureReader(
        metadata: CompletedMetadata(
          source: metadata, architecture: reader.architecture, unsaid: architecture.unsaid),
        tensors: names.applied(to: tensors)))
    description.architecture = architecture.name
    description.tensorNames = names
    return description
  }
}

/// A file's metadata, and what the architecture means where the file says nothing.
private struct CompletedMetadata: MetadataSource {
  let source: any MetadataSource
  let architecture: String
  let unsaid: [String: MetadataValue]

  var sourceName: String { source.sourceName }

  func value(forKey key: String) -> MetadataValue? {
    if let value = source.value(forKey: key) { return value }
    let prefix = architecture + "."
    return key.hasPrefix(prefix) ? unsaid[String(key.dropFirst(prefix.count))] : nil
  }

  func storedArray(forKey key: String) -> StoredArray? { source.storedArray(forKey: key) }
}
