package import Foundation
package import MoECore
package import MoEFormats
package import MoEModel

/// A complete model with random weights of any registered architecture: the metadata, tensor names,
/// shapes and tokenizer of a real one, so that every part of the program can load and run it.
///
/// Nothing here knows an architecture: the tensors are those of the description that the
/// architecture makes of the metadata. Matrices are Gaussian with variance 1 / columns, and what
/// blocks add to the residual stream is scaled by the depth, so activations stay near one at any
/// depth. The same metadata gives the same file, byte for byte.
package struct SyntheticModel: Sendable {
  /// A name of the registry.
  package struct Architecture: RawRepresentable, Hashable, Sendable, CaseIterable {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }

    package static let olmoe = Architecture(rawValue: "olmoe")
    package static let qwen3moe = Architecture(rawValue: "qwen3moe")

    package static var allCases: [Architecture] {
      ArchitectureRegistry.all.map { Architecture(rawValue: $0.name) }
    }
  }

  /// The element format of each kind of matrix; vectors and routers are always F32.
  package struct Formats: Sendable {
    package var embedding, attention, expertGate, expertUp, expertDown, output: GGMLType

    /// One format for all: F32, F16, BF16, Q8_0, Q4_K or Q6_K.
    package init(_ type: GGMLType) {
      (embedding, attention, expertGate) = (type, type, type)
      (expertUp, expertDown, output) = (type, type, type)
    }

    /// The usual four-bit mix: Q6_K for the output and the experts' down projection, else Q4_K.
    package static var fourBit: Formats {
      var formats = Formats(.q4_K)
      (formats.expertDown, formats.output) = (.q6_K, .q6_K)
      return formats
    }
  }

  package let architecture: Architecture
  package var formats = Formats(.f32)
  package var seed: UInt64 = 1
  /// Keys without the architecture's prefix.
  package private(set) var values: [String: MetadataValue]

  /// A model of some 800 KB; change what a test is about. Experts' rows must be whole blocks of the
  /// formats: the K formats need widths that are multiples of 256.
  package init(_ architecture: Architecture) {
    self.architecture = architecture
    let own = ArchitectureRegistry.entry(named: architecture.rawValue)?.smallModel ?? [:]
    values = ArchitectureRegistry.smallModel.merging(own) { $1 }
  }

  package subscript(key: String) -> MetadataValue? {
    get { values[key] }
    set { values[key] = newValue }
  }

  private subscript(count key: String) -> Int {
    get { values[key]?.integer ?? 0 }
    set { values[key] = .unsigned(UInt64(newValue)) }
  }

  /// What each layer has of its own goes on, or ends, as it began.
  package var layerCount: Int {
    get { self[count: "block_count"] }
    set {
      for (key, value) in values {
        if case .array(let array) = value { values[key] = .array(array.repeated(to: newValue)) }
      }
      self[count: "block_count"] = newValue
    }
  }
  package var hiddenSize: Int {
    get { self[count: "embedding_length"] }
    set { self[count: "embedding_length"] = newValue }
  }
  package var headCount: Int {
    get { self[count: "attention.head_count"] }
    set { self[count: "attention.head_count"] = newValue }
  }
  package var keyValueHeadCount: Int {
    get { self[count: "attention.head_count_kv"] }
    set { self[count: "attention.head_count_kv"] = newValue }
  }
  /// Of keys and values; latent attention has keys of their own for it.
  package var headDimension: Int {
    get { self[count: "attention.key_length" + headSuffix] }
    set {
      self[count: "attention.key_length" + headSuffix] = newValue
      self[count: "attention.value_length" + headSuffix] = newValue
    }
  }
  private var headSuffix: String {
    values["attention.key_length_mla"] == nil ? "" : "_mla"
  }
  /// Of latents, and of what queries are made of.
  private var latentDimension: Int {
    get { self[count: "attention.kv_lora_rank"] }
    set {
      for key in ["attention.kv_lora_rank", "attention.q_lora_rank", "attention.value_length"] {
        self[count: key] = newValue
      }
      self[count: "attention.key_length"] = newValue + self[count: "rope.dimension_count"]
    }
  }
  package var expertCount: Int {
    get { self[count: "expert_count"] }
    set {
      self[count: "expert_count"] = newValue
      leaveFittingGroups()
    }
  }
  package var expertsPerToken: Int {
    get { self[count: "expert_used_count"] }
    set {
      self[count: "expert_used_count"] = newValue
      leaveFittingGroups()
    }
  }
  package var expertWidth: Int {
    get { self[count: "expert_feed_forward_length"] }
    set { self[count: "expert_feed_forward_length"] = newValue }
  }
  package var vocabularySize: Int {
    get { self[count: "vocab_size"] }
    set { self[count: "vocab_size"] = newValue }
  }
  package var contextLength: Int {
    get { self[count: "context_length"] }
    set { self[count: "context_length"] = newValue }
  }

  /// Leaves experts ungrouped where the groups would not be equal, or not have what a token takes.
  private mutating func leaveFittingGroups() {
    let (count, chosen) = (
      self[count: "expert_group_count"], self[count: "expert_group_used_count"]
    )
    if count < 2 { return }
    let size = expertCount / count
    if expertCount % count == 0 && size >= 2 && chosen * size >= expertsPerToken { return }
    self[count: "expert_group_count"] = 1
    self[count: "expert_group_used_count"] = 1
  }

  /// Makes every row of a matrix a whole number of blocks of 256, which the K formats need.
  package mutating func useWholeBlocks() {
    (hiddenSize, headDimension) = (256, 64)
    if latentDimension > 0 { latentDimension = 256 }
    for key in values.keys
    where key.hasPrefix("attention.") && key.hasSuffix("_length_swa") {
      self[count: key] = 64
    }
    let widths = [
      "feed_forward_length", "expert_feed_forward_length", "expert_shared_feed_forward_length",
      "ssm.inner_size",
    ]
    for key in widths where values[key] != nil {
      if values[key]?.integer != nil { self[count: key] = 256 }
      update(key, layerCount: layerCount) { $0 == 0 ? 0 : 256 }
    }
  }

  /// Changes what is given for each layer; does nothing to what is given once.
  private mutating func update(_ key: String, layerCount: Int, _ change: (Int64) -> Int64) {
    guard case .array(.signed(let own)) = values[key], !own.isEmpty else { return }
    values[key] = .array(.signed((0..<layerCount).map { change(own[$0 % own.count]) }))
  }

  /// What the decoder is told of the model.
  package func description() throws -> ModelDescription {
    try ArchitectureRegistry.describe(metadata: Source(model: self), tensors: [])
  }

  /// Size of the file that `write` makes.
  package func byteCount() throws -> Int { try layout().byteCount }

  package func write(to url: URL) throws { try layout(withWeights: true).write(to: url) }

  /// The header alone, with a hole in place of the weights: for what reads no weights.
  package func writeHeader(to url: URL) throws {
    let writer = try layout()
    try Data(writer.header()).write(to: url)
    let file = try FileHandle(forUpdating: url)
    try file.truncate(atOffset: UInt64(writer.byteCount))
    try file.close()
  }

  /// The model split in `count` files named `name-00001-of-0000N.gguf`; gives their places.
  package func writeShards(count: Int, named name: String, in folder: URL) throws -> [URL] {
    try layout(withWeights: true).writeShards(count: count, named: name, in: folder)
  }

  /// The whole file in memory.
  package func bytes() throws -> [UInt8] { try layout(withWeights: true).bytes() }

  private func layout(withWeights: Bool = false) throws -> GGUFWriter {
    var writer = GGUFWriter()
    writer.metadata = metadata + Self.tokenizer(vocabularySize: vocabularySize)
    let usual = ArchitectureRegistry.entry(named: architecture.rawValue)?.usualTensors ?? []
    let plans = SyntheticTensors.plans(of: try description(), formats: formats) { row in
      !row.isOptional || row.role == .output || usual.contains(row.role)
    }
    var weights: [SyntheticTensors.Distribution: RandomWeights] = [:]
    writer.tensors = plans.enumerated().map { index, plan in
      // Without weights the tensors have names and sizes only and cannot be written.
      guard withWeights else { return GGUFWriter.Tensor(plan.name, plan.type, plan.shape) { _ in } }
      return SyntheticTensors.tensor(plan, index, seed: seed, &weights)
    }
    return writer
  }

  private var metadata: [(key: String, value: GGUFValue)] {
    let name = architecture.rawValue
    return [
      ("general.architecture", .string(name)),
      ("general.name", .string("synthetic-\(name)")),
      ("general.quantization_version", .uint32(2)),
    ] + values.sorted { $0.key < $1.key }.map { ("\(name).\($0.key)", GGUFValue($0.value)) }
  }

  /// The metadata without a file.
  private struct Source: MetadataSource {
    let model: SyntheticModel
    var sourceName: String { "synthetic model" }

    func value(forKey key: String) -> MetadataValue? {
      let name = model.architecture.rawValue
      if key == "general.architecture" { return .string(name) }
      return key.hasPrefix(name + ".") ? model.values[String(key.dropFirst(name.count + 1))] : nil
    }
  }
}

extension MetadataArray {
  /// What is given for each layer, of so many layers: it goes on as it began.
  fileprivate func repeated(to count: Int) -> MetadataArray {
    func more<Value>(_ values: [Value]) -> [Value] { (0..<count).map { values[$0 % values.count] } }
    switch self {
    case .unsigned(let values): return .unsigned(more(values))
    case .signed(let values): return .signed(more(values))
    case .float(let values): return .float(more(values))
    case .double(let values): return .double(more(values))
    case .bool(let values): return .bool(more(values))
    case .strings, .nested: return self
    }
  }
}
