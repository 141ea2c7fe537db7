import MoEKernels

/// What weights are to become.
package enum WeightTarget: Sendable {
  /// Blocks of a format.
  case blocks(BlockEncoder)
  /// Three values for each run of so many elements of a row; nil: for each row, as in the paper.
  case ternary(groupElementCount: Int? = nil)

  package var name: String {
    switch self {
    case .blocks(let encoder): encoder.name
    case .ternary(nil): "ternary"
    case .ternary(let count?): "ternary-\(count)"
    }
  }

  /// Throws where rows are not whole groups.
  package func check(columnCount: Int) throws(EncodingError) {
    let count =
      switch self {
      case .blocks(let encoder): encoder.shape.elementCount
      case .ternary(let count): count ?? columnCount
      }
    guard count > 0, columnCount > 0, columnCount.isMultiple(of: count) else {
      throw .notWholeBlocks(columnCount: columnCount, format: name, blockElementCount: count)
    }
  }

  /// Bytes of a row of `QuantizedWeights`; `check` holds.
  func rowByteCount(columnCount: Int) -> Int {
    switch self {
    case .blocks(let encoder): encoder.format.rowByteCount(columnCount: columnCount)
    case .ternary(let count): columnCount + columnCount / (count ?? columnCount) * 4
    }
  }
}

/// A matrix that has been quantised.
package struct QuantizedWeights: Sendable {
  package let target: WeightTarget
  package let rowCount: Int
  package let columnCount: Int
  /// (row): of a block format its blocks, as files have them; of ternary weights what `ternaryRow`
  /// reads.
  package internal(set) var bytes: [UInt8]

  package var rowByteCount: Int { target.rowByteCount(columnCount: columnCount) }

  /// A row of ternary weights: of each run of elements low and high, as the bits of bfloat16, and
  /// of each element its digit (`TernaryGrid`). Nil for block formats.
  package func ternaryRow(
    _ row: Int
  ) -> (levels: [(low: UInt16, high: UInt16)], digits: ArraySlice<UInt8>)? {
    guard case .ternary(let count) = target else { return nil }
    let start = row * rowByteCount
    let groupCount = columnCount / (count ?? columnCount)
    let levels = (0..<groupCount).map { group in
      let place = start + 4 * group
      return (
        low: UInt16(bytes[place]) | UInt16(bytes[place + 1]) << 8,
        high: UInt16(bytes[place + 2]) | UInt16(bytes[place + 3]) << 8
      )
    }
    return (levels, bytes[start + 4 * groupCount..<start + rowByteCount])
  }
}
