internal import CMoEKernelsInterface
package import MoECore

/// The dictionary code of ternary rows (QMoE, arXiv 2310.16795, section 4).
///
/// A codeword of 16 bits stands for 2 to 28 digits. A coded matrix is a head of 8 bytes for each
/// row and then the codewords of all rows, one row behind the other. A head is how many bytes
/// behind the head's first byte the row's codewords begin, and low and high, as `TernaryRows` has
/// them.
@safe package enum QMoECode {
  /// The dictionary, and what is needed besides while it is made.
  package static let byteCount = 2 << 20
  package static let codewordByteCount = 2

  /// Makes the dictionary unless it is there; needed before anything else here, and before products
  /// of the format.
  package static func prepare() throws(OutOfMemory) {
    guard moe_qmoe_prepare() != 0 else { throw OutOfMemory(byteCount: byteCount) }
  }

  /// The same for `encode`.
  package static func prepareEncoder() throws(OutOfMemory) {
    guard moe_qmoe_prepare_encoder() != 0 else { throw OutOfMemory(byteCount: byteCount) }
  }

  /// The digits that a codeword stands for.
  package static func digits(ofCodeword codeword: UInt16) -> [UInt8] {
    guard let table = unsafe moe_qmoe_table() else {
      preconditionFailure("the dictionary is not there yet")
    }
    let entry = unsafe table[Int(codeword)]
    return (0..<2 * (entry >> 28 & 15)).map { place in
      entry >> place & 1 == 1
        ? TernaryRows.lowDigit
        : entry >> (32 + place) & 1 == 1 ? TernaryRows.highDigit : TernaryRows.zeroDigit
    }
  }

  /// Codewords of one row, at most.
  package static func codewordCountMax(columnCount: Int) -> Int { columnCount / 2 + 1 }

  /// Codes the digits of a packed row; returns how many codewords were written.
  ///
  /// - Parameter codewords: Room for as many as there can be.
  package static func encode(
    _ row: ByteView, columnCount: Int, into codewords: ByteView
  ) -> Int {
    precondition(columnCount > 0)
    precondition(row.count == QuantFormat.ternary.rowByteCount(columnCount: columnCount))
    precondition(
      codewords.count >= codewordByteCount * codewordCountMax(columnCount: columnCount))
    return unsafe moe_qmoe_encode(
      row.pointer.assumingMemoryBound(to: UInt8.self) + TernaryRows.levelsByteCount, columnCount,
      codewords.pointer.assumingMemoryBound(to: UInt8.self))
  }

  /// Whether bytes are codewords of exactly one row of so many columns.
  package static func isRow(_ codewords: ByteView, columnCount: Int) -> Bool {
    guard codewords.count % codewordByteCount == 0 else { return false }
    return unsafe moe_qmoe_is_row(
      codewords.pointer.assumingMemoryBound(to: UInt8.self),
      codewords.count / codewordByteCount, columnCount) != 0
  }

  /// Codewords that are a row (`isRow`) to the digits of a packed row, whose levels stay.
  package static func decode(_ codewords: ByteView, columnCount: Int, into row: ByteView) {
    precondition(row.count == QuantFormat.ternary.rowByteCount(columnCount: columnCount))
    unsafe moe_qmoe_decode(
      codewords.pointer.assumingMemoryBound(to: UInt8.self), columnCount,
      row.pointer.assumingMemoryBound(to: UInt8.self) + TernaryRows.levelsByteCount)
  }

  package static let headByteCount = 8
}
