/// target -= left · right, or left · rightᵀ, on one thread, in memory of its own.
///
/// The right side is copied four columns at a time, so that what one step of a sum reads lies side
/// by side; the sums of four rows and four columns stay in registers. Each sum is made in the order
/// of the inner dimension, so that no result depends on how a product is cut into blocks of rows or
/// columns.
@safe final class DoubleProduct {
  private typealias Lanes = SIMD4<Double>

  /// The longest inner dimension that is taken at once.
  static let innerCountMax = 256
  private static let (tileRowCount, tileColumnCount) = (4, 4)

  /// (inner): four columns of the right side; zeros behind its last.
  private let panel: UnsafeMutablePointer<Lanes>

  init() { unsafe panel = .allocate(capacity: Self.innerCountMax) }

  deinit { unsafe panel.deallocate() }

  /// - Parameter isTransposed: Whether the rows of `right` are what its columns should be.
  func subtract(
    _ left: DoubleBlock, _ right: DoubleBlock, isTransposed: Bool = false,
    from target: DoubleBlock
  ) {
    let innerCount = left.columnCount
    precondition(innerCount <= Self.innerCountMax)
    precondition(innerCount == (isTransposed ? right.columnCount : right.rowCount))
    precondition(target.columnCount == (isTransposed ? right.rowCount : right.columnCount))
    precondition(target.rowCount == left.rowCount)
    for column in stride(from: 0, to: target.columnCount, by: Self.tileColumnCount) {
      let count = min(Self.tileColumnCount, target.columnCount - column)
      fill(right, isTransposed, column, count, innerCount)
      for row in stride(from: 0, to: target.rowCount, by: Self.tileRowCount) {
        if row + Self.tileRowCount <= target.rowCount && count == Self.tileColumnCount {
          subtractTile(left, row, innerCount, from: target, column)
        } else {
          let last = min(row + Self.tileRowCount, target.rowCount)
          for row in row..<last { subtractRow(left, row, innerCount, from: target, column, count) }
        }
      }
    }
  }

  private func fill(
    _ right: DoubleBlock, _ isTransposed: Bool, _ column: Int, _ count: Int, _ innerCount: Int
  ) {
    for inner in 0..<innerCount {
      var lanes = Lanes(repeating: 0)
      if isTransposed {
        for lane in 0..<count { unsafe lanes[lane] = right.row(column + lane)[inner] }
      } else if count == Self.tileColumnCount {
        lanes = unsafe UnsafeRawPointer(right.row(inner) + column).loadUnaligned(as: Lanes.self)
      } else {
        for lane in 0..<count { unsafe lanes[lane] = right.row(inner)[column + lane] }
      }
      unsafe panel[inner] = lanes
    }
  }

  private func subtractTile(
    _ left: DoubleBlock, _ row: Int, _ innerCount: Int, from target: DoubleBlock, _ column: Int
  ) {
    let (left0, left1) = unsafe (left.row(row), left.row(row + 1))
    let (left2, left3) = unsafe (left.row(row + 2), left.row(row + 3))
    var (sum0, sum1) = (Lanes(repeating: 0), Lanes(repeating: 0))
    var (sum2, sum3) = (sum0, sum1)
    for inner in 0..<innerCount {
      let lanes = unsafe panel[inner]
      unsafe sum0 += left0[inner] * lanes
      unsafe sum1 += left1[inner] * lanes
      unsafe sum2 += left2[inner] * lanes
      unsafe sum3 += left3[inner] * lanes
    }
    subtract(sum0, from: target, row, column, count: 4)
    subtract(sum1, from: target, row + 1, column, count: 4)
    subtract(sum2, from: target, row + 2, column, count: 4)
    subtract(sum3, from: target, row + 3, column, count: 4)
  }

  private func subtractRow(
    _ left: DoubleBlock, _ row: Int, _ innerCount: Int, from target: DoubleBlock, _ column: Int,
    _ count: Int
  ) {
    let values = unsafe left.row(row)
    var sum = Lanes(repeating: 0)
    for inner in 0..<innerCount { unsafe sum += values[inner] * panel[inner] }
    subtract(sum, from: target, row, column, count: count)
  }

  @inline(__always)
  private func subtract(
    _ sum: Lanes, from target: DoubleBlock, _ row: Int, _ column: Int, count: Int
  ) {
    let place = unsafe target.row(row) + column
    for lane in 0..<count { unsafe place[lane] -= sum[lane] }
  }
}
