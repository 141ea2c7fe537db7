import MoECore
import MoEKernels

/// Grids as rounding column by column wants them: made for a block of columns when its first is
/// reached, changed when the first of a later group is.
protocol GridTarget: Sendable {
  associatedtype Grid
  associatedtype Rounder: ValueRounder

  /// Columns that one grid is for.
  var blockElementCount: Int { get }
  /// Columns after which it is fitted anew.
  var groupElementCount: Int { get }

  /// - Parameters:
  ///   - weights: Those of the block as they are by now.
  ///   - importance: How much an error of each counts.
  func grid(_ weights: Span<Float>, importance: Span<Float>) -> Grid
  /// - Parameter group: At least 1; the weights are those of this group.
  func refit(_ grid: inout Grid, group: Int, _ weights: Span<Float>, importance: Span<Float>)
  func rounder(_ grid: Grid, group: Int) -> Rounder
  /// Writes a block of a row; the bytes are the row's.
  func store(_ grid: Grid, codes: Span<UInt8>, block: Int, row: ByteView)
}

struct BlockTarget: GridTarget {
  let encoder: BlockEncoder

  var blockElementCount: Int { encoder.shape.elementCount }
  var groupElementCount: Int { encoder.shape.groupElementCount }

  func grid(_ weights: Span<Float>, importance: Span<Float>) -> BlockGrid {
    encoder.grid(weights, importance: importance)
  }

  func refit(
    _ grid: inout BlockGrid, group: Int, _ weights: Span<Float>, importance: Span<Float>
  ) {
    encoder.refit(&grid, group: group, weights, importance: importance)
  }

  func rounder(_ grid: BlockGrid, group: Int) -> GroupRounder {
    grid.rounder(group: group, encoder.shape)
  }

  func store(_ grid: BlockGrid, codes: Span<UInt8>, block: Int, row: ByteView) {
    let count = encoder.format.blockByteCount
    encoder.store(grid, codes: codes, into: row.slice(block * count, count: count))
  }
}

struct TernaryTarget: GridTarget {
  /// Elements of a row, and of the runs in it that have three values each.
  let columnCount: Int
  let blockElementCount: Int
  var groupElementCount: Int { blockElementCount }

  func grid(_ weights: Span<Float>, importance: Span<Float>) -> TernaryGrid { TernaryGrid(weights) }

  func refit(
    _ grid: inout TernaryGrid, group: Int, _ weights: Span<Float>, importance: Span<Float>
  ) {}

  func rounder(_ grid: TernaryGrid, group: Int) -> TernaryGrid { grid }

  func store(_ grid: TernaryGrid, codes: Span<UInt8>, block: Int, row: ByteView) {
    for (index, bits) in [grid.low.brainFloatBits, grid.high.brainFloatBits].enumerated() {
      row[4 * block + 2 * index] = UInt8(truncatingIfNeeded: bits)
      row[4 * block + 2 * index + 1] = UInt8(bits >> 8)
    }
    let start = columnCount / blockElementCount * 4 + block * blockElementCount
    for index in codes.indices { row[start + index] = codes[index] }
  }
}
