import MoECore
import MoEExperts
import MoEKernels

/// The parts that experts are made of.
extension TensorFinder {
  /// A layer's experts; one without for a dense layer.
  mutating func experts(
    _ description: RoutedExpertsDescription?, layer: Int, hiddenSize: Int
  ) throws(ModelError) -> ExpertLayer {
    guard let description else { return .dense }
    var parts: [ExpertPart] = []
    for row in description.partRows(hiddenSize: hiddenSize) {
      parts.append(
        try part(row, prefix: TensorTable.prefix(layer: layer), description.router.expertCount))
    }
    return ExpertLayer(
      expertCount: description.router.expertCount,
      expertsPerToken: description.router.expertsPerToken, parts: parts)
  }

  private mutating func part(
    _ row: RoutedExpertsDescription.PartRow, prefix: String, _ expertCount: Int
  ) throws(ModelError) -> ExpertPart {
    let name = prefix + row.name
    let shape = row.role.isMatrix ? [row.columnCount, row.rowCount] : [row.columnCount]
    if !row.name.contains("*") {
      let (tensor, format) = try find(name, shape: shape + [expertCount])
      // Biases are read where they lie.
      if !row.role.isMatrix && format.name != "F32" {
        throw unsupportedFormat(name, "\(format.name), a bias's being F32")
      }
      return ExpertPart(
        row.role, name: name, format: format, rowCount: row.rowCount,
        columnCount: row.columnCount, storage: .stack(tensor.extent))
    }
    var extents: [FileExtent] = []
    var common: QuantFormat?
    for expert in 0..<expertCount {
      let own = name.split(separator: "*", maxSplits: 1).joined(separator: "\(expert)")
      let (tensor, format) = try find(own, shape: shape)
      guard common == nil || common == format else {
        throw unsupportedFormat(own, "\(format.name), unlike the experts before it")
      }
      common = format
      extents.append(tensor.extent)
    }
    guard let common else { preconditionFailure("a router chooses among experts") }
    return ExpertPart(
      row.role, name: name, format: common, rowCount: row.rowCount, columnCount: row.columnCount,
      storage: .single(extents))
  }
}
