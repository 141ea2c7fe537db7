internal import CMoEKernelsInterface
package import MoECore

/// An element format of weights: one entry of the C table, which alone lists them.
@safe package struct QuantFormat: @unchecked Sendable, Hashable {
  // Sendable because the table is constant.
  package let entry: OpaquePointer
  /// GGUF's number, or that of a format which bundles alone have.
  package let ggmlType: UInt32
  package let blockElementCount: Int
  package let blockByteCount: Int
  /// Bytes before a row's blocks: of formats that bundles alone have, whose rows may be any number
  /// of columns and whose last block may not be full. Else 0.
  package let rowHeaderByteCount: Int
  package let activation: ActivationForm

  /// Every supported format of GGUF files, in the table's order.
  package static let all: [QuantFormat] = (0..<moe_format_count()).compactMap {
    unsafe QuantFormat(moe_format_at($0))
  }

  /// The formats that bundles alone have.
  package static let bundleFormats: [QuantFormat] = (0..<moe_bundle_format_count()).compactMap {
    unsafe QuantFormat(moe_bundle_format_at($0))
  }

  /// Rows of three values, in two bits for each column (`TernaryRows`).
  package static let ternary = bundleFormat(named: "TERNARY")

  /// The same rows in the dictionary code of QMoE (`QMoECode`). Rows of a matrix differ in size:
  /// what a row takes here is the part of it that lies with the other rows'.
  package static let qmoe = bundleFormat(named: "QMOE")

  private static func bundleFormat(named name: String) -> QuantFormat {
    guard let format = bundleFormats.first(where: { $0.name == name }) else {
      preconditionFailure("there are no kernels for \(name)")
    }
    return format
  }

  /// The format of this number in GGUF files; nil where it is not supported.
  package init?(ggmlType: UInt32) {
    unsafe self.init(moe_format_for_type(ggmlType))
  }

  /// The format of this number in bundles: one of GGUF's, or one of their own.
  package init?(bundleType: UInt32) {
    let own = Self.bundleFormats.first { $0.ggmlType == bundleType }
    guard let format = own ?? QuantFormat(ggmlType: bundleType) else { return nil }
    self = format
  }

  private init?(_ format: UnsafePointer<moe_format>?) {
    guard let format = unsafe format, let form = ActivationForm(unsafe format.pointee.activation)
    else { return nil }
    unsafe entry = OpaquePointer(format)
    unsafe ggmlType = format.pointee.ggml_type
    unsafe blockElementCount = Int(format.pointee.block_elements)
    unsafe blockByteCount = Int(format.pointee.block_bytes)
    unsafe rowHeaderByteCount = Int(format.pointee.row_bytes)
    activation = form
  }

  /// As GGUF tools print it, for example `Q4_K`.
  package var name: String {
    unsafe String(cString: UnsafePointer<moe_format>(entry).pointee.name)
  }

  /// Whether rows may have so many columns.
  package func canHave(columnCount: Int) -> Bool {
    guard columnCount >= 0 else { return false }
    if rowHeaderByteCount == 0 { return columnCount % blockElementCount == 0 }
    return columnCount <= Int(MOE_TERNARY_COLUMNS_MAX)
  }

  /// Bytes of a row, which can have so many columns.
  package func rowByteCount(columnCount: Int) -> Int {
    precondition(canHave(columnCount: columnCount))
    let blockCount = (columnCount + blockElementCount - 1) / blockElementCount
    return rowHeaderByteCount + blockCount * blockByteCount
  }

  /// Blocks to floats, or one row of a format of bundles; `out.count` elements are written.
  package func dequantize(_ blocks: ByteView, into out: FloatView) {
    precondition(rowByteCount(columnCount: out.count) <= blocks.count)
    unsafe UnsafePointer<moe_format>(entry).pointee.dequantize(
      blocks.pointer.assumingMemoryBound(to: UInt8.self), out.pointer, out.count)
  }

  /// Whether this machine and build have a product of their own for a level.
  package func hasProduct(at level: InstructionSet) -> Bool {
    unsafe moe_format_matmul_at(UnsafePointer(entry), level.cValue) != nil
  }

  /// y (token, row) = weights (row, column) times x (token, column), on the calling thread.
  ///
  /// Every value is bit-identical whatever rows and tokens it is computed with, within a level.
  /// `level` is for tests; without it, the level in use. `hasProduct(at: level)` must hold. The
  /// weights' scale is left to `ProductList`.
  package func matmul(
    _ weights: QuantizedMatrix, _ x: ActivationRows, into y: FloatRows,
    at level: InstructionSet? = nil
  ) {
    precondition(weights.format == self && x.form == activation && weights.scale == 1)
    precondition(weights.columnCount == x.columnCount)
    precondition(y.rowCount == x.rowCount && y.columnCount == weights.rowCount)
    let product =
      if let level { unsafe moe_format_matmul_at(UnsafePointer(entry), level.cValue) } else {
        unsafe UnsafePointer<moe_format>(entry).pointee.matmul
      }
    guard let product = unsafe product else {
      preconditionFailure("\(name) has no product for the level asked for")
    }
    unsafe product(
      weights.bytes.pointer.assumingMemoryBound(to: UInt8.self), weights.rowByteCount,
      weights.rowCount, x.bytes.pointer.assumingMemoryBound(to: UInt8.self), x.rowByteCount,
      x.rowCount, x.columnCount, y.storage.pointer, y.stride)
  }

  package static func == (left: QuantFormat, right: QuantFormat) -> Bool {
    left.ggmlType == right.ggmlType
  }

  package func hash(into hasher: inout Hasher) { hasher.combine(ggmlType) }
}

/// How a row of activations is stored for a product.
package enum ActivationForm: Sendable, Hashable, CaseIterable {
  case f32
  /// Blocks of 32: scale, 32 signed bytes, 2 sums.
  case q8_0
  /// Blocks of 256: scale, 256 signed bytes, 16 sums.
  case q8_K
  /// The row: scale, integers of 13 bits in 16, at least 32 zeros.
  case q13

  init?(_ value: moe_activation) {
    switch value {
    case MOE_ACTIVATION_F32: self = .f32
    case MOE_ACTIVATION_Q8_0: self = .q8_0
    case MOE_ACTIVATION_Q8_K: self = .q8_K
    case MOE_ACTIVATION_Q13: self = .q13
    default: return nil
    }
  }

  var cValue: moe_activation {
    switch self {
    case .f32: MOE_ACTIVATION_F32
    case .q8_0: MOE_ACTIVATION_Q8_0
    case .q8_K: MOE_ACTIVATION_Q8_K
    case .q13: MOE_ACTIVATION_Q13
    }
  }

  /// Its place in `allCases`, for arrays with an element for each form.
  package var index: Int {
    switch self {
    case .f32: 0
    case .q8_0: 1
    case .q8_K: 2
    case .q13: 3
    }
  }

  /// Bytes of one row, rounded up to 64.
  package func rowByteCount(columnCount: Int) -> Int {
    moe_activation_row_bytes(cValue, columnCount)
  }

  /// Whether this machine and build have a quantiser of their own for a level.
  package func hasQuantizer(at level: InstructionSet) -> Bool {
    unsafe moe_activation_quantizer_at(cValue, level.cValue) != nil
  }

  /// One row of floats into this form; all levels write the same bytes. `out` holds at least
  /// `rowByteCount` bytes and starts at a multiple of 64. `level` as in `QuantFormat.matmul`.
  package func quantize(_ x: FloatView, into out: ByteView, at level: InstructionSet? = nil) {
    precondition(rowByteCount(columnCount: x.count) <= out.count)
    let bytes = unsafe out.pointer.assumingMemoryBound(to: UInt8.self)
    guard let level else {
      return unsafe moe_quantize_activation(cValue, x.pointer, bytes, x.count)
    }
    guard let quantizer = unsafe moe_activation_quantizer_at(cValue, level.cValue) else {
      preconditionFailure("no quantiser for the level asked for")
    }
    unsafe quantizer(x.pointer, bytes, x.count)
  }
}
