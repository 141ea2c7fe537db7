package import MoECore
package import MoEKernels

/// The rows that experts read, in each form that one of them wants; lives in a decoder's scratch.
package struct ExpertInput {
  private let forms: [ActivationForm: ByteView]
  private let columnCount: Int

  /// - Parameter forms: Room for the rows of a step, (row, columnCount) in that form.
  package init(forms: [ActivationForm: ByteView], columnCount: Int) {
    self.forms = forms
    self.columnCount = columnCount
  }

  /// The first `count` rows.
  package func rows(_ form: ActivationForm, count: Int) -> ActivationRows {
    guard let bytes = forms[form] else { preconditionFailure("no expert reads rows of that form") }
    return ActivationRows(bytes, rowCount: count, columnCount: columnCount, form: form)
  }
}

/// Memory that experts compute in, a batch of rows at a time; lives in a decoder's scratch.
///
/// Rows of floats begin at multiples of 64 bytes, so that they serve as activation rows too. Layers
/// whose experts are narrower than the widest use less of it.
package struct ExpertScratch {
  /// Rows of a batch, and how many of an expert's input can be gathered at a time.
  package let rowCount: Int
  package let gatheredRowCount: Int
  private let gate: FloatView
  private let up: FloatView
  private let down: FloatView
  private let gathered: [ActivationForm: ByteView]
  private let inner: [ActivationForm: ByteView]

  /// - Parameters:
  ///   - gate, up, down: (row of a batch, expert's width), the same, (row of a batch, hiddenSize).
  ///   - gathered: (gathered row, hiddenSize), by form.
  ///   - inner: (row of a batch, expert's width), by form, but for floats.
  package init(
    rowCount: Int, gatheredRowCount: Int, gate: FloatView, up: FloatView, down: FloatView,
    gathered: [ActivationForm: ByteView], inner: [ActivationForm: ByteView]
  ) {
    self.rowCount = rowCount
    self.gatheredRowCount = gatheredRowCount
    self.gate = gate
    self.up = up
    self.down = down
    self.gathered = gathered
    self.inner = inner
  }

  func gate(_ rows: Range<Int>, width: Int) -> FloatRows { Self.rows(of: gate, rows, width) }
  func up(_ rows: Range<Int>, width: Int) -> FloatRows { Self.rows(of: up, rows, width) }
  func down(_ rows: Range<Int>, width: Int) -> FloatRows { Self.rows(of: down, rows, width) }

  private static func rows(of view: FloatView, _ rows: Range<Int>, _ columns: Int) -> FloatRows {
    let stride = (columns + 15) / 16 * 16
    let count = rows.isEmpty ? 0 : (rows.count - 1) * stride + columns
    return FloatRows(
      view.slice(rows.lowerBound * stride, count: count), rowCount: rows.count,
      columnCount: columns, stride: stride)
  }

  func gathered(_ form: ActivationForm, _ rows: Range<Int>, width: Int) -> ActivationRows {
    Self.rows(of: gathered, form, rows, width)
  }

  func inner(_ form: ActivationForm, _ rows: Range<Int>, width: Int) -> ActivationRows {
    Self.rows(of: inner, form, rows, width)
  }

  private static func rows(
    of forms: [ActivationForm: ByteView], _ form: ActivationForm, _ rows: Range<Int>,
    _ columns: Int
  ) -> ActivationRows {
    guard let bytes = forms[form] else {
      preconditionFailure("there is room for every form that is written")
    }
    let size = form.rowByteCount(columnCount: columns)
    return ActivationRows(
      bytes.slice(rows.lowerBound * size, count: rows.count * size), rowCount: rows.count,
      columnCount: columns, form: form)
  }
}

extension Scratch {
  /// Where experts find their input, of rows of `hiddenSize` elements.
  borrowing func expertInput(hiddenSize: Int) -> ExpertInput {
    ExpertInput(forms: bytes(layout.expertInputForms), columnCount: hiddenSize)
  }

  /// Where experts compute.
  borrowing func expertScratch() -> ExpertScratch {
    ExpertScratch(
      rowCount: layout.down.rowCount, gatheredRowCount: layout.tileTokenCount,
      gate: allFloats(layout.gate), up: allFloats(layout.up), down: allFloats(layout.down),
      gathered: bytes(layout.gatheredForms), inner: bytes(layout.innerForms))
  }
}
