package import MoECore
package import MoEKernels

/// H = XᵀX of the rows X that some matrices are multiplied with: how much an error of each weight,
/// and of each two together, changes the results (GPTQ, arXiv 2210.17323, section 3).
///
/// H and what it is factored to share one square of doubles: H in the lower triangle, the factor in
/// the upper one. Of 8,192 columns that is 512 MiB; one such object is filled again and again.
package final class Hessian {
  package let columnCount: Int
  /// Rows that have been added since the last `clear`.
  package private(set) var tokenCount = 0

  let team: WorkerTeam
  private let square: AlignedBuffer
  /// (column): the diagonal of H, whose place in the square the factor needs.
  private(set) var diagonal: [Double]

  /// (column, chunk): the rows that wait to be multiplied, turned.
  let columns: AlignedBuffer
  private var waitingCount = 0
  /// (row of a band, column): products of the chunk.
  let products: AlignedBuffer
  var list = ProductList(capacity: 1)
  let format: QuantFormat

  /// Rows that are multiplied at once: the sums of so many products are floats, of all doubles.
  static let chunkRowCount = 512
  static let bandRowCount = 64

  /// Elements from one row of floats to the next, as products want them.
  package static func rowStride(columnCount: Int) -> Int {
    ActivationForm.f32.rowByteCount(columnCount: columnCount) / 4
  }

  /// What an object takes.
  package static func byteCount(columnCount: Int) -> Int {
    AlignedBuffer.mappedByteCount(for: 8 * columnCount * columnCount)
      + AlignedBuffer.mappedByteCount(for: 4 * columnCount * chunkRowCount)
      + AlignedBuffer.mappedByteCount(
        for: 4 * rowStride(columnCount: columnCount) * bandRowCount)
  }

  package init(columnCount: Int, team: WorkerTeam) throws(OutOfMemory) {
    precondition(columnCount > 0)
    guard let format = QuantFormat(ggmlType: 0) else {
      preconditionFailure("floats of 32 bits have kernels")
    }
    self.columnCount = columnCount
    self.team = team
    self.format = format
    square = try AlignedBuffer(byteCount: 8 * columnCount * columnCount)
    columns = try AlignedBuffer(byteCount: 4 * columnCount * Self.chunkRowCount)
    products = try AlignedBuffer(
      byteCount: 4 * Self.rowStride(columnCount: columnCount) * Self.bandRowCount)
    diagonal = Array(repeating: 0, count: columnCount)
  }

  /// (column, column): H below the diagonal, and whatever `factor` puts on and above it.
  var matrix: DoubleBlock {
    unsafe DoubleBlock(
      square.baseAddress.assumingMemoryBound(to: Double.self), stride: columnCount,
      rowCount: columnCount, columnCount: columnCount)
  }

  /// Forgets all rows.
  package func clear() {
    (tokenCount, waitingCount) = (0, 0)
    for column in diagonal.indices { diagonal[column] = 0 }
    square.bytes(count: square.byteCount).fill(with: 0)
  }

  /// Adds rows of inputs, which must be finite.
  package func add(_ rows: FloatRows) {
    precondition(rows.columnCount == columnCount)
    var start = 0
    while start < rows.rowCount {
      let count = min(rows.rowCount - start, Self.chunkRowCount - waitingCount)
      turn(rows.rows(start, count: count))
      waitingCount += count
      start += count
      if waitingCount == Self.chunkRowCount { multiply() }
    }
    tokenCount += rows.rowCount
  }

  /// Puts rows behind those that wait, as columns.
  private func turn(_ rows: FloatRows) {
    let target = columns.floats(count: columnCount * Self.chunkRowCount)
    let first = waitingCount
    let pieceColumnCount = 64
    team.forEachPiece(
      count: (columnCount + pieceColumnCount - 1) / pieceColumnCount,
      cost: rows.rowCount * columnCount
    ) { piece, _ in
      let last = min((piece + 1) * pieceColumnCount, columnCount)
      for row in 0..<rows.rowCount {
        let source = rows.row(row)
        for column in piece * pieceColumnCount..<last {
          target[column * Self.chunkRowCount + first + row] = source[column]
        }
      }
    }
  }

  /// Multiplies what waits, and adds the lower triangle of it to H.
  private func multiply() {
    guard waitingCount > 0 else { return }
    let stride = Self.chunkRowCount
    let values = columns.floats(count: columnCount * stride)
    // Products go in steps of 16; what is behind the last row counts as zeros.
    for column in 0..<columnCount where waitingCount < stride {
      values.slice(column * stride + waitingCount, count: stride - waitingCount).fill(with: 0)
    }
    let bytes = columns.bytes(count: 4 * columnCount * stride)
    for start in Swift.stride(from: 0, to: columnCount, by: Self.bandRowCount) {
      let count = min(Self.bandRowCount, columnCount - start)
      let width = start + count
      let band = FloatRows(
        products.floats(count: count * width), rowCount: count, columnCount: width)
      list.removeAll()
      list.append(
        QuantizedMatrix(format: format, bytes: bytes, rowCount: width, columnCount: stride),
        ActivationRows(
          bytes.slice(4 * start * stride, count: 4 * count * stride), rowCount: count,
          columnCount: stride, form: .f32),
        into: band)
      team.multiply(list)
      addBand(band, start)
    }
    waitingCount = 0
  }

  private func addBand(_ band: FloatRows, _ start: Int) {
    let matrix = matrix
    for row in 0..<band.rowCount {
      let values = band.row(row)
      let target = unsafe matrix.row(start + row)
      for column in 0..<start + row { unsafe target[column] += Double(values[column]) }
      diagonal[start + row] += Double(values[start + row])
    }
  }

  /// Brings in the rows that still wait.
  func finish() { multiply() }
}
