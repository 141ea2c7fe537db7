package import MoECore

/// Rows of floats in scratch memory: hidden states, projections, logits.
package struct FloatRows {
  /// (row, stride): row `r` starts at `r * stride` and has `columnCount` elements in use.
  package var storage: FloatView
  package var rowCount: Int
  package var columnCount: Int
  /// Elements from one row's start to the next.
  package var stride: Int

  package init(_ storage: FloatView, rowCount: Int, columnCount: Int, stride: Int? = nil) {
    let stride = stride ?? columnCount
    precondition(rowCount >= 0 && columnCount >= 0 && stride >= columnCount)
    precondition(rowCount == 0 || (rowCount - 1) * stride + columnCount <= storage.count)
    self.storage = storage
    self.rowCount = rowCount
    self.columnCount = columnCount
    self.stride = stride
  }

  package func row(_ index: Int) -> FloatView {
    precondition(index >= 0 && index < rowCount)
    return storage.slice(index * stride, count: columnCount)
  }

  /// The same rows from column `start` on, or `count` columns of them.
  package func columns(from start: Int, count: Int? = nil) -> FloatRows {
    let count = count ?? columnCount - start
    precondition(start >= 0 && count >= 0 && start + count <= columnCount)
    let elements = rowCount == 0 ? 0 : (rowCount - 1) * stride + count
    return FloatRows(
      storage.slice(rowCount == 0 ? 0 : start, count: elements), rowCount: rowCount,
      columnCount: count, stride: stride)
  }

  /// Makes all elements 0, those between the rows among them.
  package func clear() { storage.fill(with: 0) }

  /// Rows `start ..< start + count`.
  package func rows(_ start: Int, count: Int) -> FloatRows {
    precondition(start >= 0 && count >= 0 && start + count <= rowCount)
    let elements = count == 0 ? 0 : (count - 1) * stride + columnCount
    return FloatRows(
      storage.slice(start * stride, count: elements), rowCount: count, columnCount: columnCount,
      stride: stride)
  }

  /// Columns `start ..< start + count` of every row.
  package func columns(_ start: Int, count: Int) -> FloatRows {
    precondition(start >= 0 && count >= 0 && start + count <= columnCount)
    let elements = rowCount == 0 ? 0 : (rowCount - 1) * stride + count
    return FloatRows(
      storage.slice(rowCount == 0 ? 0 : start, count: elements), rowCount: rowCount,
      columnCount: count, stride: stride)
  }
}

/// Rows of activations in the form that a weight format's product wants.
package struct ActivationRows {
  package var bytes: ByteView
  package var rowCount: Int
  package var columnCount: Int
  package var form: ActivationForm

  package var rowByteCount: Int { form.rowByteCount(columnCount: columnCount) }

  package init(_ bytes: ByteView, rowCount: Int, columnCount: Int, form: ActivationForm) {
    precondition(rowCount * form.rowByteCount(columnCount: columnCount) <= bytes.count)
    self.bytes = bytes
    self.rowCount = rowCount
    self.columnCount = columnCount
    self.form = form
  }

  /// `count` rows from row `start` on.
  package func rows(_ start: Int, count: Int) -> ActivationRows {
    precondition(start >= 0 && count >= 0 && start + count <= rowCount)
    return ActivationRows(
      bytes.slice(start * rowByteCount, count: count * rowByteCount), rowCount: count,
      columnCount: columnCount, form: form)
  }
}

/// A weight matrix in its file's blocks: (row, column), rows consecutive, at any address. Codewords
/// of coded rows are not among its bytes: they lie behind them, where the rows say.
package struct QuantizedMatrix {
  package var format: QuantFormat
  package var bytes: ByteView
  package var rowCount: Int
  package var columnCount: Int
  /// A factor on all its elements, which products and looked-up rows are multiplied with.
  package var scale: Float

  package var rowByteCount: Int { format.rowByteCount(columnCount: columnCount) }

  package init(
    format: QuantFormat, bytes: ByteView, rowCount: Int, columnCount: Int, scale: Float = 1
  ) {
    precondition(format.canHave(columnCount: columnCount))
    precondition(rowCount * format.rowByteCount(columnCount: columnCount) <= bytes.count)
    self.format = format
    self.bytes = bytes
    self.rowCount = rowCount
    self.columnCount = columnCount
    self.scale = scale
  }

  /// Rows `start ..< start + count`, where they are.
  package func rows(_ start: Int, count: Int) -> QuantizedMatrix {
    precondition(start >= 0 && count >= 0 && start + count <= rowCount)
    return QuantizedMatrix(
      format: format, bytes: bytes.slice(start * rowByteCount, count: count * rowByteCount),
      rowCount: count, columnCount: columnCount, scale: scale)
  }
}
