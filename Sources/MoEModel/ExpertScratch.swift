package import MoECore
import MoEExperts
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

/// What an executor needs of scratch memory, for the widest of a model's experts.
struct ExpertRegions: Sendable {
  /// Rows of a batch, and of those that one layer's tile has.
  let rowCount: Int
  let gatheredRowCount: Int
  let gate: ScratchRegion
  let up: ScratchRegion
  let down: ScratchRegion
  let gathered: [ActivationForm: ScratchRegion]
  let inner: [ActivationForm: ScratchRegion]

  init(_ description: ModelDescription, matrices: [ExpertPart], in arena: inout ScratchArena) {
    // A decode step computes all experts of its token side by side.
    let tile = description.expertCountMax == 0 ? 0 : arena.tileRowCount
    let batch = max(tile, description.expertsPerTokenMax)
    let width = description.layers.reduce(0) { max($0, $1.feedForward?.routed?.width ?? 0) }
    gate = arena.rows(batch, columns: width)
    up = arena.rows(batch, columns: width)
    down = arena.rows(batch, columns: description.hiddenSize)
    gathered = Self.forms(
      matrices.filter { $0.role != .down }, rows: tile, columns: description.hiddenSize, &arena)
    // Floats are read where they are.
    inner = Self.forms(
      matrices.filter { $0.role == .down && $0.format.activation != .f32 }, rows: batch,
      columns: width, &arena)
    rowCount = batch
    gatheredRowCount = tile
  }

  private static func forms(
    _ matrices: [ExpertPart], rows: Int, columns: Int, _ arena: inout ScratchArena
  ) -> [ActivationForm: ScratchRegion] {
    var regions: [ActivationForm: ScratchRegion] = [:]
    for form in Set(matrices.map { $0.format.activation }).sorted(by: { $0.index < $1.index }) {
      regions[form] = arena.rows(rows, columns: columns, form: form)
    }
    return regions
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
