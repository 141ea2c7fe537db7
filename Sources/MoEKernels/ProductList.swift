internal import CMoEKernelsInterface
package import MoECore

/// Matrix products to be computed together, in memory that is allocated once.
///
/// Filled and emptied for every layer. The views that are appended must stay valid until the team
/// has multiplied.
@safe package struct ProductList: ~Copyable {
  private let segments: UnsafeMutablePointer<moe_matmul_segment>
  package let capacity: Int
  package private(set) var count = 0
  /// Multiplications and additions of all products.
  private(set) var multiplicationCount = 0

  package init(capacity: Int) {
    precondition(capacity >= 0)
    self.capacity = capacity
    unsafe segments = .allocate(capacity: capacity)
  }

  deinit { unsafe segments.deallocate() }

  package mutating func removeAll() {
    count = 0
    multiplicationCount = 0
  }

  /// Adds y[token][row] = scale · matrix[row] · x[token], the matrix's scale.
  ///
  /// `x` is in the matrix format's activation form; `y` has a row for each of `x` and a column for
  /// each row of the matrix. `x` starts at a multiple of 64 bytes. There must be room in the list.
  package mutating func append(_ matrix: QuantizedMatrix, _ x: ActivationRows, into y: FloatRows) {
    precondition(count < capacity)
    precondition(x.form == matrix.format.activation && x.columnCount == matrix.columnCount)
    precondition(y.columnCount == matrix.rowCount && y.rowCount == x.rowCount)
    precondition(unsafe UInt(bitPattern: x.bytes.pointer) % 64 == 0)
    unsafe (segments + count).initialize(
      to: moe_matmul_segment(
        format: UnsafePointer(matrix.format.entry),
        w: UnsafePointer(matrix.bytes.pointer.assumingMemoryBound(to: UInt8.self)),
        row_bytes: matrix.rowByteCount, rows: matrix.rowCount, columns: matrix.columnCount,
        x: UnsafePointer(x.bytes.pointer.assumingMemoryBound(to: UInt8.self)),
        x_stride_bytes: x.rowByteCount, tokens: x.rowCount,
        y: y.storage.pointer, y_stride: y.stride, scale: matrix.scale))
    count += 1
    multiplicationCount += matrix.rowCount * matrix.columnCount * x.rowCount
  }

  /// Adds a product for each of some heads: y[token][head] = rows of the head · x[token], or
  /// · x[token][head] where there are inputs for each head.
  ///
  /// - Parameters:
  ///   - rows: Those of `matrix` that belong to the heads.
  ///   - x: A row for each of `y`, or as many as there are heads for each.
  ///   - headStride: Columns of `y` from a head's results to the next's.
  package mutating func append(
    _ matrix: QuantizedMatrix, _ rows: HeadRows, _ x: ActivationRows, into y: FloatRows,
    headStride: Int
  ) {
    precondition(count + rows.headCount <= capacity)
    precondition(x.form == matrix.format.activation && x.columnCount == matrix.columnCount)
    precondition(unsafe UInt(bitPattern: x.bytes.pointer) % 64 == 0)
    precondition(
      rows.headCount >= 1 && rows.start >= 0 && rows.start + rows.count <= rows.stride
        && rows.headCount * rows.stride <= matrix.rowCount)
    precondition(
      rows.count <= headStride && (rows.headCount - 1) * headStride + rows.count <= y.columnCount)
    let isShared = x.rowCount == y.rowCount
    precondition(isShared || x.rowCount == y.rowCount * rows.headCount)
    if y.rowCount == 0 { return }
    for head in 0..<rows.headCount {
      let firstRow = head * rows.stride + rows.start
      let firstInput = isShared ? 0 : head
      unsafe (segments + count).initialize(
        to: moe_matmul_segment(
          format: UnsafePointer(matrix.format.entry),
          w: UnsafePointer(
            matrix.bytes.pointer.assumingMemoryBound(to: UInt8.self)
              + firstRow * matrix.rowByteCount),
          row_bytes: matrix.rowByteCount, rows: rows.count, columns: matrix.columnCount,
          x: UnsafePointer(
            x.bytes.pointer.assumingMemoryBound(to: UInt8.self) + firstInput * x.rowByteCount),
          x_stride_bytes: isShared ? x.rowByteCount : rows.headCount * x.rowByteCount,
          tokens: y.rowCount, y: y.storage.pointer + head * headStride, y_stride: y.stride,
          scale: matrix.scale))
      count += 1
    }
    multiplicationCount += rows.headCount * rows.count * matrix.columnCount * y.rowCount
  }

  var job: moe_matmul_job {
    unsafe moe_matmul_job(segments: UnsafePointer(segments), segment_count: count)
  }
}

/// Rows of a matrix that belong to heads: of each head's `stride` rows those from `start` on.
package struct HeadRows: Sendable {
  package var headCount: Int
  package var stride: Int
  package var start: Int
  package var count: Int

  package init(headCount: Int, stride: Int, start: Int = 0, count: Int? = nil) {
    self.headCount = headCount
    self.stride = stride
    self.start = start
    self.count = count ?? stride - start
  }
}

extension WorkerTeam {
  /// Computes every product of the list, all shared among the workers at once. A timeline shows it
  /// as `activity`.
  package func multiply(
    _ products: borrowing ProductList, as activity: TimelineActivity = .product
  ) {
    let cost = products.multiplicationCount / 16
    unsafe run(
      operations.pointee.matmul, products.job, cost: cost,
      pieces: min(max(cost / (workerCount * Self.pieceNanoseconds), 1), Self.piecesMax),
      as: activity)
  }

  /// Products are cut into pieces that take about this long: much longer than taking one, and short
  /// beside the milliseconds for which another thread may hold a worker's processor. At the end of
  /// a product a worker waits for half a piece of another one.
  private static let pieceNanoseconds = 12_500
  private static let piecesMax = 32
}
