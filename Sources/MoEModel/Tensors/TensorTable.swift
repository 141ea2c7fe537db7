import MoEKernels

/// What a dense tensor is to the block that reads it. Each block names its own; the names are those
/// of its own file.
package struct TensorRole: RawRepresentable, Sendable, Hashable {
  package let rawValue: String

  package init(rawValue: String) { self.rawValue = rawValue }
}

/// One dense tensor that a block reads, as it must stand in the file: a row of the block's table,
/// the only place where the tensor's name and shape are written down.
package struct TensorRow: Sendable, Equatable {
  package enum Shape: Sendable, Equatable {
    /// Stays in the file's format, to be multiplied with.
    case matrix(rowCount: Int, columnCount: Int)
    /// Widened to floats when it is loaded. Innermost dimension first.
    case vector(dimensions: [Int])
  }

  package var role: TensorRole
  /// As the file has it, the layer's prefix included.
  package var name: String
  package var shape: Shape
  /// Whether a model may do without.
  package var isOptional: Bool
  /// Nil, or how many heads the rows of a matrix belong to, one after the other. Files then give it
  /// as one matrix or as one for each head.
  package var headCount: Int?
  /// What is made of it when it is loaded.
  package var transposed: TransposedRows?
  /// Whether values are multiplied with its elements, which then lie around 1 in trained models;
  /// else around 0.
  package var isFactor: Bool

  /// Innermost first, as the file gives them.
  package var dimensions: [Int] {
    switch (shape, headCount) {
    case (.matrix(let rowCount, let columnCount), let headCount?):
      [columnCount, rowCount / headCount, headCount]
    case (.matrix(let rowCount, let columnCount), nil): [columnCount, rowCount]
    case (.vector(let dimensions), _): dimensions
    }
  }

  package var isVector: Bool { if case .vector = shape { true } else { false } }
}

/// A matrix that is made of another one: of each head's rows the first `rowCount`, transposed. Its
/// rows are those that were columns, head after head.
package struct TransposedRows: Sendable, Hashable {
  package var role: TensorRole
  package var headCount: Int
  package var rowCount: Int

  package init(role: TensorRole, headCount: Int, rowCount: Int) {
    self.role = role
    self.headCount = headCount
    self.rowCount = rowCount
  }
}

/// The dense tensors of a layer, or of what lies beside the layers.
package struct TensorTable: Sendable, Equatable {
  package private(set) var rows: [TensorRow] = []
  private let prefix: String

  /// - Parameter layer: The layer's number in the file; nil for what belongs to none.
  package init(layer: Int? = nil) { prefix = layer.map(Self.prefix) ?? "" }

  /// What the names of a layer's tensors begin with.
  package static func prefix(layer: Int) -> String { "blk.\(layer)." }

  /// - Parameters:
  ///   - name: Without the layer's prefix.
  ///   - headCount: Where the rows belong to heads: how many.
  ///   - transposed: What is made of it when it is loaded, as a tensor of another role.
  package mutating func matrix(
    _ role: TensorRole, _ name: String, rows: Int, columns: Int, isOptional: Bool = false,
    headCount: Int? = nil, transposed: TransposedRows? = nil
  ) {
    append(role, name, .matrix(rowCount: rows, columnCount: columns), isOptional)
    self.rows[self.rows.count - 1].headCount = headCount
    self.rows[self.rows.count - 1].transposed = transposed
  }

  /// - Parameter isFactor: Nil: whether it is a norm's weight, by its name.
  package mutating func vector(
    _ role: TensorRole, _ name: String, count: Int, isOptional: Bool = false,
    isFactor: Bool? = nil
  ) {
    append(
      role, name, .vector(dimensions: [count]), isOptional,
      isFactor: isFactor ?? name.hasSuffix("_norm.weight"))
  }

  /// What is a vector to its block, but has several dimensions in the file, innermost first.
  package mutating func vector(_ role: TensorRole, _ name: String, dimensions: [Int]) {
    append(
      role, name, .vector(dimensions: dimensions), false, isFactor: name.hasSuffix("_norm.weight"))
  }

  private mutating func append(
    _ role: TensorRole, _ name: String, _ shape: TensorRow.Shape, _ isOptional: Bool,
    isFactor: Bool = false
  ) {
    precondition(!rows.contains { $0.role == role }, "a layer has one tensor of a role")
    rows.append(
      TensorRow(
        role: role, name: prefix + name, shape: shape, isOptional: isOptional,
        isFactor: isFactor))
  }
}
