package import MoECore
package import MoEKernels

/// The three matrices of a gated feed-forward expert (SwiGLU, arXiv 2002.05202), in the order in
/// which a slot holds them.
package enum ExpertMatrix: Int, CaseIterable, Sendable {
  case gate, up, down
}

/// Where one layer's matrices of one kind lie: a stack of `expertCount` equal matrices in the file.
package struct StackedMatrix: Sendable, Hashable {
  package var name: String
  package var format: QuantFormat
  package var rowCount: Int
  package var columnCount: Int
  /// The whole stack: expert `e` is part `e` of `expertCount`.
  package var extent: FileExtent

  package init(
    name: String, format: QuantFormat, rowCount: Int, columnCount: Int, extent: FileExtent
  ) {
    self.name = name
    self.format = format
    self.rowCount = rowCount
    self.columnCount = columnCount
    self.extent = extent
  }

  package var byteCountPerExpert: Int {
    rowCount * format.rowByteCount(columnCount: columnCount)
  }
}

/// The routed experts of one layer.
package struct ExpertLayer: Sendable, Hashable {
  package var expertCount: Int
  package var gate: StackedMatrix
  package var up: StackedMatrix
  package var down: StackedMatrix

  package init(expertCount: Int, gate: StackedMatrix, up: StackedMatrix, down: StackedMatrix) {
    precondition(expertCount > 0)
    for matrix in [gate, up, down] {
      precondition(matrix.byteCountPerExpert * expertCount == matrix.extent.byteCount)
    }
    self.expertCount = expertCount
    self.gate = gate
    self.up = up
    self.down = down
  }

  package subscript(matrix: ExpertMatrix) -> StackedMatrix {
    switch matrix {
    case .gate: gate
    case .up: up
    case .down: down
    }
  }

  package func extent(of matrix: ExpertMatrix, expert: Int) -> FileExtent {
    self[matrix].extent.part(expert, of: expertCount)
  }

  /// Bytes of one expert in the file.
  package var byteCountPerExpert: Int {
    ExpertMatrix.allCases.reduce(0) { $0 + self[$1].byteCountPerExpert }
  }
}

/// All routed experts of a model, by MoE layer.
package struct ExpertLayout: Sendable {
  package var layers: [ExpertLayer]
  /// Experts that one token takes in each layer.
  package var expertsPerToken: Int

  package init(layers: [ExpertLayer], expertsPerToken: Int) {
    self.layers = layers
    self.expertsPerToken = expertsPerToken
  }

  package var expertCount: Int { layers.reduce(0) { $0 + $1.expertCount } }

  /// Bytes of all experts in the file.
  package var byteCount: Int {
    layers.reduce(0) { $0 + $1.byteCountPerExpert * $1.expertCount }
  }
}

/// One expert's matrices in memory, valid while its lease lasts.
package struct ExpertWeights: Sendable {
  package var gate: QuantizedMatrix
  package var up: QuantizedMatrix
  package var down: QuantizedMatrix

  package init(gate: QuantizedMatrix, up: QuantizedMatrix, down: QuantizedMatrix) {
    self.gate = gate
    self.up = up
    self.down = down
  }
}
