import MoECompression
import MoECore

/// Quantising column by column as the textbook has it (Optimal Brain Quantization, arXiv
/// 2208.11580, in the order of the columns): the inverse of H is carried along and a column is
/// taken out of it once it is rounded. No factor, no blocks of columns.
struct NaiveGPTQ {
  let columnCount: Int
  /// (column): the inverse of what is left of H when the column is reached, its row from the
  /// diagonal on.
  private let rows: NaiveAlgebra.Matrix

  /// - Parameter hessian: With its damping.
  init(hessian: NaiveAlgebra.Matrix) {
    columnCount = hessian.count
    var inverse = NaiveAlgebra.inverse(hessian)
    var rows: NaiveAlgebra.Matrix = []
    for column in 0..<hessian.count {
      rows.append(inverse[column])
      let row = inverse[column]
      for i in column..<hessian.count {
        NaiveAlgebra.add(-row[i] / row[column], row, to: &inverse[i])
      }
    }
    self.rows = rows
  }

  /// How much errors of the columns count, each block's largest being 1.
  private func importance(_ block: Range<Int>) -> [Float] {
    let costs = block.map { 1 / rows[$0][$0] }
    let largest = costs.max() ?? 1
    return costs.map { Float($0 / largest) }
  }

  /// One row: what it becomes, and Σ of squared errors over what each would cost.
  func quantize(_ row: [Float], as target: WeightTarget) -> (values: [Float], loss: Double) {
    var weights = row.map { Double($0) }
    var values: [Float] = []
    var loss = 0.0
    var grid: BlockGrid?
    var ternary = TernaryGrid(row.span)
    for column in 0..<columnCount {
      let value: Float
      switch target {
      case .ternary(let count):
        let count = count ?? columnCount
        if column % count == 0 {
          let block = weights[column..<column + count].map { Float($0) }
          ternary = TernaryGrid(block.span)
        }
        value = ternary.value(ternary.code(weights[column]))
      case .blocks(let encoder):
        value = Self.rounded(column, weights, &grid, encoder, importance)
      }
      values.append(value)
      let error = (weights[column] - Double(value)) / rows[column][column]
      loss += error * error * rows[column][column]
      for later in column..<columnCount { weights[later] -= error * rows[column][later] }
    }
    return (values, loss)
  }

  private static func rounded(
    _ column: Int, _ weights: [Double], _ grid: inout BlockGrid?, _ encoder: BlockEncoder,
    _ importance: (Range<Int>) -> [Float]
  ) -> Float {
    let shape = encoder.shape
    let place = column % shape.elementCount
    if place % shape.groupElementCount == 0 {
      let block = column - place..<column - place + shape.elementCount
      let all = importance(block)
      if place == 0 {
        grid = encoder.grid(of: block.map { Float(weights[$0]) }, importance: all)
      } else {
        let group = column..<column + shape.groupElementCount
        let own = Array(all[place..<place + shape.groupElementCount])
        grid = encoder.refitted(
          grid!, group: place / shape.groupElementCount, group.map { Float(weights[$0]) },
          importance: own)
      }
    }
    let rounder = grid!.rounder(group: place / shape.groupElementCount, shape)
    return rounder.value(rounder.code(weights[column]))
  }
}
