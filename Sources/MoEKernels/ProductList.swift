internal import CMoEKernels
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

  /// Adds y[token][row] = matrix[row] · x[token].
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
        y: y.storage.pointer, y_stride: y.stride))
    count += 1
    multiplicationCount += matrix.rowCount * matrix.columnCount * x.rowCount
  }

  var job: moe_matmul_job {
    unsafe moe_matmul_job(segments: UnsafePointer(segments), segment_count: count)
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
