import MoECore
import MoEExperts
import MoEKernels

/// Looks the tensors of tables up in a file's header, checks them, and remembers which were used.
struct TensorFinder {
  private let description: ModelDescription
  private let file: String
  let tensors: [String: TensorDescriptor]
  private var unused: Set<String>

  init(description: ModelDescription, tensors: [TensorDescriptor], file: String) {
    self.description = description
    self.file = file
    let tensors = description.tensorNames.applied(to: tensors)
    self.tensors = Dictionary(
      tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    unused = Set(tensors.map(\.name))
  }

  /// The tensors of a table: all but optional ones must be there.
  mutating func find(_ table: TensorTable) throws(ModelError) -> TensorSet {
    var set = TensorSet()
    let ownNames = Set(table.rows.map(\.name))
    for row in table.rows where !row.isOptional || tensors[row.name] != nil {
      var dimensions = row.dimensions
      if row.headCount != nil {
        let flat = [dimensions[0], dimensions[1] * dimensions[2]]
        if tensors[row.name]?.shape == flat { dimensions = flat }
      }
      let (tensor, format) = try find(row.name, shape: dimensions)
      let (rowCount, columnCount) =
        switch row.shape {
        case .matrix(let rowCount, let columnCount): (rowCount, columnCount)
        case .vector(let dimensions): (1, dimensions.reduce(1, *))
        }
      set.append(
        DenseTensor(
          name: row.name, format: format, rowCount: rowCount, columnCount: columnCount,
          isVector: row.isVector, extent: tensor.extent, transposed: row.transposed,
          conversion: tensor.conversion, scales: tensor.scales, checksum: tensor.checksum),
        as: row.role)
      guard !row.isVector else { continue }
      try appendScales(of: [row.name], apartFrom: ownNames, count: 1, as: row.role.scale, to: &set)
    }
    return set
  }

  /// A tensor of a shape, innermost first.
  mutating func find(
    _ name: String, shape: [Int]
  ) throws(ModelError) -> (TensorDescriptor, QuantFormat) {
    guard let tensor = tensors[name] else {
      throw .missingTensor(name: name, architecture: description.architecture, file: file)
    }
    guard tensor.shape(rank: shape.count) == shape else {
      throw .wrongShape(tensor: name, expected: shape, found: tensor.shape, file: file)
    }
    guard let format = QuantFormat(ggmlType: tensor.formatID) else {
      throw unsupportedFormat(name, "\(tensor.formatName) (ggml type \(tensor.formatID))")
    }
    guard shape[0] % format.blockElementCount == 0 else {
      throw unsupportedFormat(
        name, "\(format.name) in rows of \(shape[0]) elements, which are not whole blocks")
    }
    unused.remove(name)
    return (tensor, format)
  }

  /// What a file has beside what is read, and what is known to change nothing.
  mutating func leaveOut(_ name: String) { unused.remove(name) }

  func unsupportedFormat(_ name: String, _ found: String) -> ModelError {
    .unsupportedFormat(
      tensor: name, found: found, supported: QuantFormat.all.map(\.name), file: file)
  }

  /// What is not understood may change the mathematics. What the family is known to carry without
  /// need is not meant.
  func requireAllUsed() throws(ModelError) {
    let leftOut = description.leftOutTensors + description.tensorNames.leftOut
    let foreign = unused.filter { name in !leftOut.contains { name.hasPrefix($0) } }
    if let name = foreign.sorted().first {
      throw .unexpectedTensor(name: name, architecture: description.architecture, file: file)
    }
  }
}
