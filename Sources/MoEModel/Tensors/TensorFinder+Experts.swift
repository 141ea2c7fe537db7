import MoECore
import MoEExperts
import MoEKernels

/// The parts that experts are made of.
extension TensorFinder {
  /// A layer's experts; one without for a dense layer.
  ///
  /// - Parameters:
  ///   - table: The layer's dense tensors.
  ///   - dense: The same as found, to which the scales of experts are added.
  mutating func experts(
    _ description: RoutedExpertsDescription?, layer: Int, hiddenSize: Int, table: TensorTable,
    dense: inout TensorSet
  ) throws(ModelError) -> ExpertLayer {
    guard let description else { return .dense }
    let prefix = TensorTable.prefix(layer: layer)
    let ownNames = Set(table.rows.map(\.name))
    var parts: [ExpertPart] = []
    for row in description.partRows(hiddenSize: hiddenSize) {
      parts.append(try part(row, prefix: prefix, description.router.expertCount))
      guard row.role.isMatrix && !row.name.contains("*") else { continue }
      // Of gate and up as one, files name the scales after up.
      let others = row.role == .gateUp ? [prefix + "ffn_up_exps.weight"] : []
      try appendScales(
        of: [prefix + row.name] + others, apartFrom: ownNames,
        count: description.router.expertCount, as: .scales(of: row.role), to: &dense)
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
        columnCount: row.columnCount, storage: .stack(tensor.extent),
        conversion: tensor.conversion, scales: tensor.scales.map { .stack($0) })
    }
    var extents: [FileExtent] = []
    var scales: [FileExtent] = []
    var common: (format: QuantFormat, conversion: StoredConversion?)?
    for expert in 0..<expertCount {
      let own = name.split(separator: "*", maxSplits: 1).joined(separator: "\(expert)")
      let (tensor, format) = try find(own, shape: shape)
      guard common == nil || (common?.format == format && common?.conversion == tensor.conversion)
      else {
        throw unsupportedFormat(own, "\(format.name), unlike the experts before it")
      }
      common = (format, tensor.conversion)
      extents.append(tensor.extent)
      if let own = tensor.scales { scales.append(own) }
    }
    guard let common else { preconditionFailure("a router chooses among experts") }
    return ExpertPart(
      row.role, name: name, format: common.format, rowCount: row.rowCount,
      columnCount: row.columnCount, storage: .single(extents), conversion: common.conversion,
      scales: scales.isEmpty ? nil : .single(scales))
  }
}
