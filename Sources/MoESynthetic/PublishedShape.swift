import MoECore
package import MoEFormats
private import MoEModel
private import MoEPlatform

/// A model with the header of a published file (metadata, tokenizer, tensors' names, shapes and
/// formats) and random weights: for measuring speed without downloading it.
///
/// Routing has the locality that `TopicRouting` gives it. The file's own weights are not read, so
/// they may be a hole.
package struct PublishedShape: Sendable {
  package struct Problem: Error, CustomStringConvertible {
    package let description: String
  }

  /// The first so many layers alone; nil: all.
  package var layerCount: Int?
  /// Formats to be written in place of others, where rows are whole blocks of both.
  package var formats: [GGMLType: GGMLType] = [:]
  /// Share of the routing that all tokens have in common, and that those of a topic have.
  package var (skew, locality): (Float, Float) = (0.1, 0.45)
  package var topicCount = 64
  /// Probability that a sampled token is of the topic of the token before.
  package var stay: Float = 0.95
  package var seed: UInt64 = 1

  private let file: GGUFFile

  package init(path: String) throws { file = try GGUFFile(path: path) }

  /// Size of the file that `write` makes.
  package func byteCount() throws -> Int { try writer().byteCount }

  package func write(to path: String) throws {
    let writer = try writer()
    let output = try ReplacementFile(path)
    do {
      try output.checkRoom(for: writer.byteCount)
      try writer.emit { try output.write($0.span) }
      try output.commit()
    } catch {
      output.discard()
      throw error
    }
  }

  private func writer() throws -> GGUFWriter {
    var writer = GGUFWriter()
    writer.metadata = try metadata()
    writer.alignment = file.value(forKey: Self.alignmentKey)?.integer ?? writer.alignment
    let tensors = file.tensors.filter(isKept)
    let description = try describe(writer, tensors)
    let plans = Dictionary(
      SyntheticTensors.plans(of: description).map { ($0.name, $0) },
      uniquingKeysWith: { first, _ in first })
    let routing = routing(description, tensors)
    let isText = file.value(forKey: "tokenizer.ggml.token_type").map(Self.texts) ?? []
    var weights: [SyntheticTensors.Distribution: RandomWeights] = [:]
    writer.tensors = try tensors.enumerated().map { index, tensor in
      let type = try format(of: tensor)
      var plan = plans[tensor.name] ?? SyntheticTensors.Plan(unread: tensor)
      (plan.type, plan.shape) = (type, tensor.shape)
      if let rows = rows(of: tensor.name, routing, description, isText) {
        return try Self.tensor(plan, rows: rows)
      }
      return try Self.tensor(plan, index, seed: seed, &weights)
    }
    return writer
  }

  // MARK: - Header

  private var architecture: String {
    if case .string(let name) = file.value(forKey: "general.architecture") { return name }
    return ""
  }

  private var blockCountKey: String { architecture + ".block_count" }
  private static let alignmentKey = "general.alignment"

  private func metadata() throws -> [(key: String, value: GGUFValue)] {
    let own = file.value(forKey: blockCountKey)?.integer ?? 0
    let kept = layerCount ?? own
    guard (1...max(own, 1)).contains(kept) else {
      throw Problem(description: "\(kept) layers were asked for; the model has \(own)")
    }
    // The writer says its alignment itself, and writes one file.
    return file.keys.filter { !$0.hasPrefix("split.") && $0 != Self.alignmentKey }.compactMap {
      key in
      guard let value = file.value(forKey: key) else { return nil }
      if kept < own, key == blockCountKey { return (key, .uint32(UInt32(kept))) }
      if kept < own, key == architecture + ".nextn_predict_layers" { return (key, .uint32(0)) }
      guard kept < own, key.hasPrefix(architecture + "."), case .array(let array) = value,
        array.count == own, case .array(let values) = GGUFValue(value)
      else { return (key, GGUFValue(value)) }
      return (key, .array(Array(values.prefix(kept))))
    }
  }

  private func isKept(_ tensor: TensorDescriptor) -> Bool {
    guard let layerCount, let match = tensor.name.prefixMatch(of: /blk\.(\d+)\./) else {
      return true
    }
    return Int(match.1).map { $0 < layerCount } ?? true
  }

  private func format(of tensor: TensorDescriptor) throws -> GGMLType {
    guard let type = GGMLType(id: tensor.formatID) else {
      throw Problem(
        description: "tensor \(tensor.name) is in a format with the number \(tensor.formatID)")
    }
    guard let other = formats[type], tensor.shape.count > 1, tensor.name.hasSuffix(".weight"),
      tensor.shape[0].isMultiple(of: other.blockElementCount)
    else { return type }
    // What tells topics is made of numbers, and stays where these cannot be written.
    let isStructured = [ModelDescription.embeddingName, "output.weight"].contains(tensor.name)
    return isStructured && !PlainQuantizer.types.contains(other) ? type : other
  }

  /// Through the file that will be written, so that what is refused is refused now.
  private func describe(
    _ writer: GGUFWriter, _ tensors: [TensorDescriptor]
  ) throws -> ModelDescription {
    var written = writer
    written.tensors = try tensors.map { tensor in
      GGUFWriter.Tensor(tensor.name, try format(of: tensor), tensor.shape) { _ in }
    }
    let header = try GGUFHeader(bytes: written.header(), fileByteCount: written.byteCount)
    let source = Source(name: file.sourceName, metadata: header.metadata)
    return try ArchitectureRegistry.describe(metadata: source, tensors: header.tensors)
  }

  private struct Source: MetadataSource {
    let name: String
    let metadata: GGUFMetadata
    var sourceName: String { name }
    func value(forKey key: String) -> MetadataValue? { metadata[key] }
  }

  // MARK: - Weights

  private func routing(
    _ description: ModelDescription, _ tensors: [TensorDescriptor]
  ) -> TopicRouting {
    TopicRouting(
      shares: TopicRouting.Shares(common: skew, topic: locality), topicCount: topicCount,
      stay: stay, width: description.hiddenSize, growth: SyntheticTensors.streamGrowth,
      isTied: !tensors.contains { $0.name == "output.weight" }, seed: seed)
  }

  /// By token: whether it is text, which a model may be let to say.
  private static func texts(_ types: MetadataValue) -> [Bool] {
    guard case .array(let types) = types else { return [] }
    return types.integers?.map { $0 == 1 } ?? []
  }

  /// Rows that have a structure; nil for tensors that are random through and through.
  private func rows(
    of name: String, _ routing: TopicRouting, _ description: ModelDescription, _ isText: [Bool]
  ) -> (@Sendable (Int) -> [Float])? {
    let scale = description.embeddingScale
    switch name {
    case ModelDescription.embeddingName:
      return { token in routing.embedding(of: token).map { $0 / scale } }
    case "output.weight":
      let gain = 1 / description.logitScale
      return { token in
        let isText = token < isText.count ? isText[token] : true
        return routing.output(of: token, isText: isText).map { $0 * gain }
      }
    case description.outputNormName + ".weight" where routing.isTied:
      return { _ in routing.tiedOutputNorm(embeddingScale: scale) }
    default: return nil
    }
  }

  private static func tensor(
    _ plan: SyntheticTensors.Plan, rows: @escaping @Sendable (Int) -> [Float]
  ) throws -> GGUFWriter.Tensor {
    guard PlainQuantizer.types.contains(plan.type) else {
      throw Problem(
        description: "\(plan.name) is \(plan.type), which has no quantiser here; write it as one "
          + "of \(PlainQuantizer.types.map(\.name).joined(separator: ", "))")
    }
    let rowCount = plan.shape.dropFirst().reduce(1, *)
    let type = plan.type
    return GGUFWriter.Tensor(plan.name, type, plan.shape) { emit in
      var chunk: [UInt8] = []
      for row in 0..<rowCount {
        PlainQuantizer.append(rows(row), as: type, to: &chunk)
        if chunk.count >= 1 << 20 || row + 1 == rowCount {
          try emit(chunk)
          chunk.removeAll(keepingCapacity: true)
        }
      }
    }
  }

  private static func tensor(
    _ plan: SyntheticTensors.Plan, _ index: Int, seed: UInt64,
    _ weights: inout [SyntheticTensors.Distribution: RandomWeights]
  ) throws -> GGUFWriter.Tensor {
    guard PlainQuantizer.types.contains(plan.type) || RandomBlocks.canMake(plan.type) else {
      throw Problem(
        description: "\(plan.name) is \(plan.type), in which no random weights are made")
    }
    return SyntheticTensors.tensor(plan, index, seed: seed, &weights)
  }
}
