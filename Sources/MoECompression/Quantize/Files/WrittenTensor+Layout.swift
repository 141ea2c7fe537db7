import MoECore
import MoEExperts
import MoEFormats
import MoEKernels

extension WrittenTensor {
  /// All tensors of the file that a plan makes of a model, in the source's order.
  static func all(_ plan: QuantizationPlan, _ source: QuantizationSource) -> [WrittenTensor] {
    var parts: [String: (layer: Int, part: ExpertPart, expert: Int?)] = [:]
    for layer in source.experts.routedLayers {
      for part in source.experts.layers[layer].parts {
        for (name, expert) in part.tensorNames { parts[name] = (layer, part, expert) }
      }
    }
    let dimensions = Dictionary(
      source.table.tensors.map { ($0.name, $0.dimensions) }, uniquingKeysWith: { first, _ in first }
    )
    return source.file.tensors.compactMap { tensor in
      let dimensions = dimensions[tensor.name] ?? tensor.shape
      if let (layer, part, expert) = parts[tensor.name] {
        let kept = plan.keptExperts(ofLayer: layer, source)
        return expert.map {
          single(tensor, dimensions, layer, part, expert: $0, kept: kept, plan)
        } ?? stacked(tensor, dimensions, layer, part, kept: kept, plan)
      }
      if let extents = prunedExtents(tensor, plan, source) {
        return WrittenTensor(
          name: tensor.name, dimensions: replacingLast(dimensions, tensor, by: extents.count),
          formatID: tensor.formatID, work: copies(extents))
      }
      guard let encoder = plan.encoders[tensor.name],
        let format = QuantFormat(ggmlType: tensor.formatID)
      else {
        return WrittenTensor(
          name: tensor.name, dimensions: dimensions, formatID: tensor.formatID,
          work: copies([tensor.extent]))
      }
      return WrittenTensor(
        name: tensor.name, dimensions: dimensions, formatID: encoder.format.ggmlType,
        work: encoded(tensor, from: format, encoder))
    }
  }

  /// The dimensions with another extent of the outermost axis that is not filled up with 1.
  private static func replacingLast(
    _ dimensions: [Int], _ tensor: TensorDescriptor, by count: Int
  ) -> [Int] {
    var dimensions = dimensions
    dimensions[tensor.shape.count - 1] = count
    return dimensions
  }

  /// All experts' parts in one tensor.
  private static func stacked(
    _ tensor: TensorDescriptor, _ dimensions: [Int], _ layer: Int, _ part: ExpertPart,
    kept: [Int], _ plan: QuantizationPlan
  ) -> WrittenTensor {
    let isWhole = kept.count == part.expertCount
    let encoder = plan.encoders[tensor.name]
    return WrittenTensor(
      name: tensor.name,
      dimensions: isWhole ? dimensions : replacingLast(dimensions, tensor, by: kept.count),
      formatID: encoder?.format.ggmlType ?? tensor.formatID,
      work: encoder.map { encoder in
        kept.map {
          (.expert(ExpertID(layer: layer, index: $0), part.role), part.byteCount(encoder))
        }
      }
        ?? copies(isWhole ? [tensor.extent] : kept.map { part.extent(ofExpert: $0) }))
  }

  /// One expert's part in a tensor of its own; nil where the expert is left out. Those behind it
  /// move up.
  private static func single(
    _ tensor: TensorDescriptor, _ dimensions: [Int], _ layer: Int, _ part: ExpertPart,
    expert: Int, kept: [Int], _ plan: QuantizationPlan
  ) -> WrittenTensor? {
    guard let number = kept.firstIndex(of: expert) else { return nil }
    let encoder = plan.encoders[tensor.name]
    return WrittenTensor(
      name: part.tensorNames[number].name, dimensions: dimensions,
      formatID: encoder?.format.ggmlType ?? tensor.formatID,
      work: encoder.map { encoder in
        [(.expert(ExpertID(layer: layer, index: expert), part.role), part.byteCount(encoder))]
      } ?? copies([tensor.extent]))
  }

  /// Where the kept experts' shares are of a tensor with a row, or an element, for each expert: a
  /// router, its biases, experts' scales. Nil for other tensors, and where all experts are kept.
  private static func prunedExtents(
    _ tensor: TensorDescriptor, _ plan: QuantizationPlan, _ source: QuantizationSource
  ) -> [FileExtent]? {
    guard let match = tensor.name.wholeMatch(of: /blk\.(\d+)\.(.+)/), let layer = Int(match.1),
      let kept = plan.pruning.kept[layer], source.experts.layers.indices.contains(layer)
    else { return nil }
    let expertCount = source.experts.layers[layer].expertCount
    let name = match.2
    let isRouter = name.hasPrefix("ffn_gate_inp.") && name != "ffn_gate_inp.scale"
    guard kept.count < expertCount, tensor.shape.last == expertCount,
      isRouter || name.hasPrefix("exp_probs_b") || name.contains("_exps.")
    else { return nil }
    return kept.map { tensor.extent.part($0, of: expertCount) }
  }
}

extension ExpertPart {
  /// Of one expert's, in another format.
  fileprivate func byteCount(_ encoder: BlockEncoder) -> Int {
    rowCount * encoder.format.rowByteCount(columnCount: columnCount)
  }
}
