package import MoECore
private import MoEKernels

/// A model file's metadata as an architecture asks for it: keys without the architecture's prefix,
/// values checked, and everything that would change the mathematics but is not supported refused.
package struct ArchitectureReader {
  package let architecture: String
  package let file: String
  private let metadata: any MetadataSource
  private let tensors: [String: TensorDescriptor]

  package init(metadata: any MetadataSource, tensors: [TensorDescriptor]) throws(ModelError) {
    self.metadata = metadata
    file = metadata.sourceName
    self.tensors = Dictionary(
      tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    do {
      architecture = try metadata.requireString("general.architecture")
    } catch {
      throw .metadata(error)
    }
  }

  package func integer(_ key: String, in range: ClosedRange<Int>) throws(ModelError) -> Int {
    do {
      return try metadata.requireInteger("\(architecture).\(key)", in: range)
    } catch {
      throw .metadata(error)
    }
  }

  package func optionalInteger(
    _ key: String, in range: ClosedRange<Int>
  ) throws(ModelError) -> Int? {
    do {
      return try metadata.optionalInteger("\(architecture).\(key)", in: range)
    } catch {
      throw .metadata(error)
    }
  }

  package func optionalNumber(_ key: String) throws(ModelError) -> Double? {
    do {
      return try metadata.optionalFloat("\(architecture).\(key)").map { Double($0) }
    } catch {
      throw .metadata(error)
    }
  }

  package func optionalString(_ key: String) throws(ModelError) -> String? {
    do {
      return try metadata.optionalString("\(architecture).\(key)")
    } catch {
      throw .metadata(error)
    }
  }

  package func number(_ key: String) throws(ModelError) -> Double {
    do {
      return Double(try metadata.requireFloat("\(architecture).\(key)"))
    } catch {
      throw .metadata(error)
    }
  }

  /// Refuses a file in which `key` has another value than those that give what we compute anyway.
  package func expect(
    _ key: String, absentOr accepted: [MetadataValue], supported: String
  ) throws(ModelError) {
    let fullKey = "\(architecture).\(key)"
    guard let found = metadata.value(forKey: fullKey) else { return }
    func isFound(_ value: MetadataValue) -> Bool {
      value == found || (value.number != nil && value.number == found.number)
    }
    guard accepted.contains(where: isFound) else {
      throw .unsupportedValue(key: fullKey, found: found.summary, supported: supported, file: file)
    }
  }

  package func shape(of tensor: String) throws(ModelError) -> [Int] {
    guard let descriptor = tensors[tensor] else {
      throw .missingTensor(name: tensor, architecture: architecture, file: file)
    }
    return descriptor.shape
  }
}

extension ArchitectureReader {
  /// The numbers that all supported architectures give under the same keys. What an architecture
  /// does in its own way are the parameters.
  package func standardDescription(
    queryKeyNorm: QueryKeyNorm, renormalizesWeights: Bool
  ) throws(ModelError) -> ModelDescription {
    try refuseOtherMathematics(renormalizesWeights: renormalizesWeights)
    let hiddenSize = try integer("embedding_length", in: 1...1 << 20)
    let expertCount = try integer("expert_count", in: 1...1 << 14)
    let epsilon = try number("attention.layer_norm_rms_epsilon")
    try require(
      epsilon >= 0, "attention.layer_norm_rms_epsilon", "\(epsilon)", "a number of at least 0")
    let embedding = try shape(
      of: TensorName.embedding, like: [hiddenSize, metadataSize("vocab_size")])
    let width = metadataSize("expert_feed_forward_length", "feed_forward_length")
    let gate = try shape(
      of: TensorName.gateExperts(0), like: [hiddenSize, width, expertCount])
    return ModelDescription(
      architecture: architecture,
      layerCount: try integer("block_count", in: 1...4096),
      hiddenSize: hiddenSize,
      vocabularySize: embedding[1],
      contextLength: try integer("context_length", in: 1...1 << 30),
      normEpsilon: Float(epsilon),
      attention: try attention(hiddenSize: hiddenSize, queryKeyNorm: queryKeyNorm),
      router: RouterDescription(
        expertCount: expertCount,
        expertsPerToken: try integer("expert_used_count", in: 1...expertCount),
        renormalizesWeights: renormalizesWeights),
      expertWidth: gate[1])
  }

  /// Refuses files whose numbers mean something that is not computed.
  private func refuseOtherMathematics(renormalizesWeights: Bool) throws(ModelError) {
    try expect("attention.clamp_kqv", absentOr: [.float(0)], supported: "no clamping")
    try expect("expert_gating_func", absentOr: [.unsigned(1)], supported: "1 (softmax)")
    try expect(
      "expert_weights_scale", absentOr: [.float(0), .float(1)], supported: "1 (no scaling)")
    try expect(
      "expert_weights_norm", absentOr: [.bool(renormalizesWeights)],
      supported: "\(renormalizesWeights), as published for this architecture")
    try expect(
      "expert_group_count", absentOr: [.unsigned(0), .unsigned(1)],
      supported: "1 (experts are not grouped)")
    try expect("expert_shared_count", absentOr: [.unsigned(0)], supported: "0 (no shared expert)")
    try expect("leading_dense_block_count", absentOr: [.unsigned(0)], supported: "0")
  }

  private func attention(
    hiddenSize: Int, queryKeyNorm: QueryKeyNorm
  ) throws(ModelError) -> AttentionDescription {
    let headCount = try integer("attention.head_count", in: 1...1 << 14)
    let headDimension =
      try optionalInteger("attention.key_length", in: 2...KVView.headDimensionMax)
      ?? hiddenSize / headCount
    // Rotary embedding turns pairs of elements.
    try require(
      (2...KVView.headDimensionMax).contains(headDimension) && headDimension % 2 == 0,
      "attention.key_length", "\(headDimension)",
      "an even number from 2 to \(KVView.headDimensionMax)")
    try expect(
      "attention.value_length", absentOr: [.unsigned(UInt64(headDimension))],
      supported: "\(headDimension), the key length")
    let keyValueHeadCount =
      try optionalInteger("attention.head_count_kv", in: 1...headCount) ?? headCount
    try require(
      headCount % keyValueHeadCount == 0, "attention.head_count_kv", "\(keyValueHeadCount)",
      "a divisor of the head count \(headCount)")
    return AttentionDescription(
      headCount: headCount, keyValueHeadCount: keyValueHeadCount, headDimension: headDimension,
      queryKeyNorm: queryKeyNorm,
      rotary: try rotary(headDimension: headDimension, pairing: .neox))
  }

  /// A size that the tensors give too, for messages; 0 where the metadata does not say.
  private func metadataSize(_ keys: String...) -> Int {
    keys.lazy.compactMap { metadata.value(forKey: "\(architecture).\($0)")?.integer }.first ?? 0
  }

  /// The shape of a tensor that must have as many axes as `expected`.
  private func shape(of tensor: String, like expected: [Int]) throws(ModelError) -> [Int] {
    let found = try shape(of: tensor)
    guard found.count == expected.count else {
      throw .wrongShape(tensor: tensor, expected: expected, found: found, file: file)
    }
    return found
  }

  /// Refuses the file where a value of it is not one that can be run.
  func require(
    _ condition: Bool, _ key: String, _ found: String, _ supported: String
  ) throws(ModelError) {
    guard condition else { throw unsupported(key, found, supported) }
  }

  func unsupported(_ key: String, _ found: String, _ supported: String) -> ModelError {
    .unsupportedValue(
      key: "\(architecture).\(key)", found: found, supported: supported, file: file)
  }
}
