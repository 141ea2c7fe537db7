import MoECore
import MoEExperts
import MoEFormats
import MoEKernels
import MoEModel

/// Formats for the kinds of a model's matrices; nil: what they are in.
///
/// Experts stand 2 or 3 bits, attention wants at least 4 ("Fast inference of mixture-of-experts
/// models with offloading", arXiv 2312.17238, section 3.3). Norms, routers, biases and whatever is
/// no matrix always stay.
package struct QuantizationMix: Sendable {
  /// Routed experts, and those of a layer that shall have others.
  package var experts: BlockEncoder?
  package var layerExperts: [Int: BlockEncoder] = [:]
  /// Feed-forward parts that every token uses.
  package var dense: BlockEncoder?
  /// Whatever mixes tokens.
  package var attention: BlockEncoder?
  package var embedding: BlockEncoder?
  package var output: BlockEncoder?
  /// Whether matrices stay as they are where they would not become smaller.
  package var keepsSmaller = false

  package init() {}
}

/// What becomes of each tensor of a model.
package struct QuantizationPlan: Sendable {
  /// By name of the source: what it is written in, of those that change.
  package private(set) var encoders: [String: BlockEncoder] = [:]
  /// Matrices that the mix wants in a format that their rows do not divide into, and what they
  /// are written in; nil: what they are in.
  package private(set) var substitutes: [(name: String, encoder: BlockEncoder?)] = []
  package let pruning: ExpertPruning

  package init(
    _ mix: QuantizationMix, pruning: ExpertPruning = ExpertPruning(), of source: QuantizationSource
  ) throws(QuantizeError) {
    self.pruning = pruning
    try Self.check(pruning, source)
    let experts = Self.expertTensors(source)
    for tensor in source.file.tensors {
      let wanted: BlockEncoder? =
        if let layer = experts[tensor.name] { mix.layerExperts[layer] ?? mix.experts } else {
          Self.denseEncoder(tensor, mix)
        }
      guard let wanted, wanted.format.ggmlType != tensor.formatID else { continue }
      guard QuantFormat(ggmlType: tensor.formatID) != nil else {
        throw .unreadableFormat(
          tensor: tensor.name.quotedForMessage, format: tensor.formatName)
      }
      let encoder = BlockEncoderRegistry.substitute(for: wanted, columnCount: tensor.shape[0])
      if encoder?.name != wanted.name { substitutes.append((tensor.name, encoder)) }
      guard let encoder, encoder.format.ggmlType != tensor.formatID else { continue }
      if mix.keepsSmaller, let format = QuantFormat(ggmlType: tensor.formatID),
        encoder.format.rowByteCount(columnCount: tensor.shape[0])
          >= format.rowByteCount(columnCount: tensor.shape[0])
      {
        continue
      }
      encoders[tensor.name] = encoder
    }
  }

  /// By name: the layers of matrices of routed experts.
  static func expertTensors(_ source: QuantizationSource) -> [String: Int] {
    var names: [String: Int] = [:]
    for layer in source.experts.routedLayers {
      for part in source.experts.layers[layer].matrices {
        for (name, _) in part.tensorNames { names[name] = layer }
      }
    }
    return names
  }

  private static func denseEncoder(
    _ tensor: TensorDescriptor, _ mix: QuantizationMix
  ) -> BlockEncoder? {
    guard tensor.shape.count == 2, tensor.name.hasSuffix(".weight") else { return nil }
    switch tensor.name {
    case "token_embd.weight": return mix.embedding
    case "output.weight": return mix.output
    default: break
    }
    guard let match = tensor.name.wholeMatch(of: /blk\.\d+\.(.+)\.weight/) else { return nil }
    let name = match.1
    if name.hasSuffix("norm") { return nil }
    if name.hasPrefix("attn_") { return mix.attention }
    // Routers are small, and what they choose hangs on little.
    return name.hasPrefix("ffn_") && !name.hasPrefix("ffn_gate_inp") ? mix.dense : nil
  }

  private static func check(
    _ pruning: ExpertPruning, _ source: QuantizationSource
  ) throws(QuantizeError) {
    for (layer, kept) in pruning.kept.sorted(by: { $0.key < $1.key }) {
      guard source.experts.layers.indices.contains(layer),
        let router = source.description.routers[layer]
      else { throw .pruning(.noExperts(layer: layer)) }
      let expertCount = router.expertCount
      guard zip(kept, kept.dropFirst()).allSatisfy({ $0 < $1 }),
        kept.allSatisfy({ (0..<expertCount).contains($0) })
      else { throw .pruning(.noSuchExperts(layer: layer, expertCount: expertCount)) }
      if kept.count == expertCount { continue }
      guard router.groups == nil else { throw .pruning(.groups(layer: layer)) }
      guard kept.count >= router.expertsPerToken else {
        throw .pruning(
          .tooFew(layer: layer, kept: kept.count, used: router.expertsPerToken))
      }
    }
  }

  /// Bytes of the file that is written, each tensor's as far as the next one: by layer those of its
  /// routed experts' matrices, and all others.
  func byteCounts(
    _ source: QuantizationSource
  ) throws(QuantizeError) -> (experts: [Int: Int], other: Int) {
    let tensors = WrittenTensor.all(self, source)
    let layers = Self.expertTensors(source)
    var experts: [Int: Int] = [:]
    let header = try WrittenHeader(tensors, self, source)
    let ends = header.offsets.dropFirst() + [header.fileByteCount]
    for (tensor, (start, end)) in zip(tensors, zip(header.offsets, ends)) {
      if let layer = layers[tensor.name] { experts[layer, default: 0] += end - start }
    }
    return (experts, header.fileByteCount - experts.values.reduce(0, +))
  }

  /// The experts of a layer that are written, by their numbers in the source.
  func keptExperts(ofLayer layer: Int, _ source: QuantizationSource) -> [Int] {
    pruning.kept[layer] ?? Array(0..<source.experts.layers[layer].expertCount)
  }
}

extension ExpertPart {
  /// The tensors that hold the part: one for all experts (nil), or one for each.
  var tensorNames: [(name: String, expert: Int?)] {
    guard case .single = storage else { return [(name, nil)] }
    return (0..<expertCount).map { expert in
      (name.split(separator: "*", maxSplits: 1).joined(separator: "\(expert)"), expert)
    }
  }
}
