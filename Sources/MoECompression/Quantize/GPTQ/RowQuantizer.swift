import MoECore
import MoEKernels

/// Rounds rows to a target's grids, each row by itself: to the nearest values or, with the factor
/// of an inverse Hessian, by GPTQ (arXiv 2210.17323, section 3; QMoE, arXiv 2310.16795, section
/// 3.2).
///
/// GPTQ goes from column to column. What rounding one of them loses, divided by the factor's
/// diagonal, is subtracted from all later ones in proportion to the factor's row: within a block of
/// 128 columns at once, from those behind it block by block. Columns keep their order. A grid is
/// fitted to its columns as they are by the time when the first of them is reached.
struct RowQuantizer<Target: GridTarget> {
  let target: Target
  let columnCount: Int
  /// U with H⁻¹ = Uᵀ U in the upper triangle; nil: to the nearest.
  let factor: DoubleBlock?
  /// (column): how much an error of each counts while grids are fitted, of at least 0.
  private let importance: [Float]

  private static var blockColumnCount: Int { 128 }

  /// - Parameter importance: Where there is no factor; nil: all are alike.
  init(_ target: Target, columnCount: Int, factor: DoubleBlock?, importance: [Float]? = nil) {
    precondition(columnCount.isMultiple(of: target.blockElementCount))
    self.target = target
    self.columnCount = columnCount
    self.factor = factor
    var costs = [Double](repeating: 1, count: columnCount)
    for column in 0..<columnCount {
      if let factor {
        // What an error costs once the later columns have made up for it as well as they can.
        costs[column] = 1 / (factor[column, column] * factor[column, column])
      } else if let importance {
        costs[column] = Double(importance[column])
      }
    }
    self.importance = Self.normalized(costs, blockElementCount: target.blockElementCount)
  }

  /// The largest of each block is 1: costs alone may be beyond what floats can say.
  private static func normalized(_ costs: [Double], blockElementCount: Int) -> [Float] {
    var result: [Float] = []
    result.reserveCapacity(costs.count)
    for start in stride(from: 0, to: costs.count, by: blockElementCount) {
      let block = costs[start..<start + blockElementCount]
      let largest = block.reduce(0) { max($0, $1) }
      let isUsable = largest > 0 && largest.isFinite
      for cost in block { result.append(isUsable ? Float(max(cost, 0) / largest) : 1) }
    }
    return result
  }

  /// Memory that one worker rounds a few rows in.
  @safe final class Room {
    static var rowCountMax: Int { 64 }

    /// (row, column): the weights as they are by now.
    let weights: UnsafeMutablePointer<Double>
    /// (row, column of a block): what rounding lost, over the factor's diagonal.
    let errors: UnsafeMutablePointer<Double>
    /// (row): the grid that its columns are at.
    var grids: [Target.Grid] = []
    /// (row, column)
    let codes: UnsafeMutablePointer<UInt8>
    /// (column of a block of the format)
    var block: [Float]
    let product = DoubleProduct()

    init(columnCount: Int, blockElementCount: Int) {
      unsafe weights = .allocate(capacity: Self.rowCountMax * columnCount)
      unsafe errors = .allocate(capacity: Self.rowCountMax * blockColumnCount)
      unsafe codes = .allocate(capacity: Self.rowCountMax * columnCount)
      block = Array(repeating: 0, count: blockElementCount)
    }

    deinit {
      unsafe weights.deallocate()
      unsafe errors.deallocate()
      unsafe codes.deallocate()
    }
  }

  func makeRoom() -> Room {
    Room(columnCount: columnCount, blockElementCount: target.blockElementCount)
  }

  /// Rounds some rows, at most `Room.rowCountMax`.
  ///
  /// - Parameters:
  ///   - rows: Finite.
  ///   - bytes: (row): receives what the target writes.
  ///   - differences: (row, column): receives what rounding changed.
  /// - Returns: Of GPTQ, (row) what the row loses by the damped H that the factor is of: with
  ///   D = E U and E the errors over the factor's diagonal, D H Dᵀ = E Eᵀ. Else zeros.
  func quantize(
    _ rows: FloatRows, into bytes: ByteView, rowByteCount: Int, differences: FloatRows,
    _ room: Room
  ) -> [Double] {
    precondition(rows.rowCount <= Room.rowCountMax && rows.columnCount == columnCount)
    var losses = [Double](repeating: 0, count: rows.rowCount)
    for row in 0..<rows.rowCount {
      let source = rows.row(row)
      for column in 0..<columnCount {
        unsafe room.weights[row * columnCount + column] = Double(source[column])
      }
    }
    room.grids.removeAll(keepingCapacity: true)
    for start in stride(from: 0, to: columnCount, by: Self.blockColumnCount) {
      let columns = start..<min(start + Self.blockColumnCount, columnCount)
      for row in 0..<rows.rowCount {
        round(
          row, columns, original: rows.row(row),
          bytes.slice(row * rowByteCount, count: rowByteCount), differences.row(row), room)
        guard factor != nil else { continue }
        let errors = unsafe room.errors + row * Self.blockColumnCount
        for column in 0..<columns.count { unsafe losses[row] += errors[column] * errors[column] }
      }
      carryOver(columns, rowCount: rows.rowCount, room)
    }
    return losses
  }

  /// One row in a block of columns.
  private func round(
    _ row: Int, _ columns: Range<Int>, original: FloatView, _ bytes: ByteView,
    _ differences: FloatView, _ room: Room
  ) {
    let (blockCount, groupCount) = (target.blockElementCount, target.groupElementCount)
    var start = columns.lowerBound
    while start < columns.upperBound {
      let place = start % blockCount
      if place % groupCount == 0 { fit(row, start, room) }
      let end = min(start + groupCount - place % groupCount, columns.upperBound)
      let rounder = target.rounder(room.grids[row], group: place / groupCount)
      round(row, start..<end, of: columns, rounder, original, differences, room)
      if end % blockCount == 0 { store(row, end - blockCount, bytes, room) }
      start = end
    }
  }

  /// Columns of one group, or as many of them as the block of columns has.
  private func round(
    _ row: Int, _ group: Range<Int>, of columns: Range<Int>, _ rounder: Target.Rounder,
    _ original: FloatView, _ differences: FloatView, _ room: Room
  ) {
    let weights = unsafe room.weights + row * columnCount
    let errors = unsafe room.errors + row * Self.blockColumnCount
    let codes = unsafe room.codes + row * columnCount
    for column in group {
      let weight = unsafe weights[column]
      let code = rounder.code(weight)
      let value = rounder.value(code)
      unsafe codes[column] = code
      differences[column] = original[column] - value
      guard let factor else { continue }
      let values = unsafe factor.row(column)
      let error = unsafe (weight - Double(value)) / values[column]
      unsafe errors[column - columns.lowerBound] = error
      for later in column + 1..<columns.upperBound {
        unsafe weights[later] -= error * values[later]
      }
    }
  }

  /// Makes the grid of the block, or of the group, that begins at a column.
  private func fit(_ row: Int, _ column: Int, _ room: Room) {
    let place = column % target.blockElementCount
    let count = place == 0 ? target.blockElementCount : target.groupElementCount
    // Errors that pile up where the factor is nearly singular must not leave the floats' range.
    let bound = Double(EncodingError.magnitudeMax)
    for index in 0..<count {
      let weight = unsafe room.weights[row * columnCount + column + index]
      room.block[index] = Float(min(bound, max(-bound, weight)))
    }
    let importance = importance.span.extracting(column..<column + count)
    let block = room.block
    let weights = block.span.extracting(0..<count)
    if place > 0 {
      target.refit(
        &room.grids[row], group: place / target.groupElementCount, weights, importance: importance)
    } else if row == room.grids.count {
      room.grids.append(target.grid(weights, importance: importance))
    } else {
      room.grids[row] = target.grid(weights, importance: importance)
    }
  }

  private func store(_ row: Int, _ start: Int, _ bytes: ByteView, _ room: Room) {
    let place = row * columnCount + start
    let codes = unsafe Span(
      _unsafeStart: UnsafePointer(room.codes + place), count: target.blockElementCount)
    target.store(
      room.grids[row], codes: codes, block: start / target.blockElementCount, row: bytes)
  }

  /// Subtracts a block's errors from all columns behind it.
  private func carryOver(_ columns: Range<Int>, rowCount: Int, _ room: Room) {
    guard let factor, columns.upperBound < columnCount else { return }
    let errors = unsafe DoubleBlock(
      room.errors, stride: Self.blockColumnCount, rowCount: rowCount, columnCount: columns.count)
    let weights = unsafe DoubleBlock(
      room.weights, stride: columnCount, rowCount: rowCount, columnCount: columnCount)
    let later = columns.upperBound..<columnCount
    room.product.subtract(
      errors, factor.block(columns, later), from: weights.block(0..<rowCount, later))
  }
}
