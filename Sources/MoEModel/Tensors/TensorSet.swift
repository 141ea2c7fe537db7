package import MoECore
package import MoEKernels

/// A dense tensor of the model as the file's header describes it, checked against the description.
package struct DenseTensor: Sendable, Hashable {
  package var name: String
  package var format: QuantFormat
  package var rowCount: Int
  package var columnCount: Int
  /// Whether it is widened to floats when it is loaded.
  package var isVector: Bool
  package var extent: FileExtent
  /// What is made of it when it is loaded.
  package var transposed: TransposedRows?
  /// What is done with the stored bytes when they are loaded, and where its scales are.
  package var conversion: StoredConversion?
  package var scales: FileExtent?
  /// CRC-32C of the stored bytes; nil where the file has none.
  package var checksum: UInt32?

  /// Bytes in memory.
  package var byteCount: Int { rowCount * format.rowByteCount(columnCount: columnCount) }

  package init(
    name: String, format: QuantFormat, rowCount: Int, columnCount: Int, isVector: Bool,
    extent: FileExtent, transposed: TransposedRows? = nil,
    conversion: StoredConversion? = nil, scales: FileExtent? = nil, checksum: UInt32? = nil
  ) {
    self.name = name
    self.format = format
    self.rowCount = rowCount
    self.columnCount = columnCount
    self.isVector = isVector
    self.extent = extent
    self.transposed = transposed
    self.conversion = conversion
    self.scales = scales
    self.checksum = checksum
  }
}

/// The tensors of a table that a file has.
package struct TensorSet: Sendable {
  package struct Entry: Sendable {
    package let role: TensorRole
    package var tensor: DenseTensor
  }

  /// In the order of the table.
  package private(set) var entries: [Entry] = []

  package init() {}

  package mutating func append(_ tensor: DenseTensor, as role: TensorRole) {
    entries.append(Entry(role: role, tensor: tensor))
  }

  package subscript(role: TensorRole) -> DenseTensor? {
    entries.first { $0.role == role }?.tensor
  }

  package var tensors: [DenseTensor] { entries.map(\.tensor) }

  /// What a token is multiplied with.
  package var matrices: [DenseTensor] { tensors.filter { !$0.isVector } }

  package var byteCount: Int { tensors.reduce(0) { $0 + $1.byteCount } }

  /// Changes every tensor.
  package mutating func update(_ change: (TensorRole, inout DenseTensor) -> Void) {
    for index in entries.indices { change(entries[index].role, &entries[index].tensor) }
  }
}

/// A set's tensors in memory.
package struct LoadedTensors {
  private var matrices: [TensorRole: QuantizedMatrix] = [:]
  private var vectors: [TensorRole: FloatView] = [:]

  package init() {}

  package mutating func append(_ matrix: QuantizedMatrix, as role: TensorRole) {
    matrices[role] = matrix
  }

  package mutating func append(_ vector: FloatView, as role: TensorRole) { vectors[role] = vector }

  /// Gives matrices the scales that the set has of them, and what is made of a matrix the same.
  mutating func applyScales(_ set: TensorSet) {
    for entry in set.entries {
      guard let scale = vectors[entry.role.scale] else { continue }
      for role in [entry.role, entry.tensor.transposed?.role].compactMap(\.self) {
        matrices[role]?.scale = scale[0]
      }
    }
  }

  /// Nil where the model has none, which only an optional one may be.
  package func optionalMatrix(_ role: TensorRole) -> QuantizedMatrix? { matrices[role] }

  package func optionalVector(_ role: TensorRole) -> FloatView? { vectors[role] }

  package func matrix(_ role: TensorRole) -> QuantizedMatrix {
    guard let matrix = matrices[role] else {
      preconditionFailure("no \(role.rawValue): the table has it, and the check found it")
    }
    return matrix
  }

  package func vector(_ role: TensorRole) -> FloatView {
    guard let vector = vectors[role] else {
      preconditionFailure("no \(role.rawValue): the table has it, and the check found it")
    }
    return vector
  }
}
