import MoECompression
import MoECore
import MoEKernels
import MoESynthetic

/// Weights as rows in memory of their own.
final class OwnedRows {
  private let memory: AlignedBuffer
  let rows: FloatRows

  init(_ values: [Float], columnCount: Int) throws {
    memory = try AlignedBuffer(byteCount: 4 * values.count)
    let view = memory.floats(count: values.count)
    view.copy(from: values)
    rows = FloatRows(
      view, rowCount: values.count / columnCount, columnCount: columnCount)
  }
}

extension FloatView {
  func copy(from values: [Float]) {
    for (index, value) in values.enumerated() { self[index] = value }
  }
}

extension BlockEncoder {
  func grid(of weights: [Float], importance: [Float]?) -> BlockGrid {
    guard let importance else { return grid(weights.span) }
    return grid(weights.span, importance: importance.span)
  }

  func refitted(
    _ grid: BlockGrid, group: Int, _ weights: [Float], importance: [Float]
  ) -> BlockGrid {
    var grid = grid
    refit(&grid, group: group, weights.span, importance: importance.span)
    return grid
  }

  /// A block's bytes, and what its codes stand for by the grid.
  func encoded(
    _ block: [Float], importance: [Float]? = nil
  ) throws -> (bytes: [UInt8], values: [Float]) {
    let grid = grid(of: block, importance: importance)
    var codes: [UInt8] = []
    var values: [Float] = []
    for (index, weight) in block.enumerated() {
      let rounder = grid.rounder(group: index / shape.groupElementCount, shape)
      codes.append(rounder.code(Double(weight)))
      values.append(rounder.value(codes[index]))
    }
    let memory = try AlignedBuffer(byteCount: format.blockByteCount)
    let bytes = memory.bytes(count: format.blockByteCount)
    store(grid, codes: codes.span, into: bytes)
    return (bytes.array(), values)
  }
}

/// Σ of squared differences.
func squaredDifference(_ first: [Float], _ second: [Float], importance: [Float]? = nil) -> Double {
  zip(first, second).enumerated().reduce(0) { sum, pair in
    let difference = Double(pair.element.0) - Double(pair.element.1)
    return sum + Double(importance?[pair.offset] ?? 1) * difference * difference
  }
}
