/// Why weights cannot be written in a format.
package enum EncodingError: Error, Equatable, CustomStringConvertible {
  /// NaN or infinite.
  case notFinite(row: Int, column: Int)
  /// Beyond what scales of 16 bits can say.
  case tooLarge(row: Int, column: Int)
  /// Rows that are not whole blocks of the format.
  case notWholeBlocks(columnCount: Int, format: String, blockElementCount: Int)

  /// The largest weight that every format holds: the largest float of 16 bits.
  package static let magnitudeMax: Float = 65_504

  package var description: String {
    switch self {
    case .notFinite(let row, let column):
      "row \(row), column \(column): the weight is no finite number, so the tensor is damaged; "
        + "download the model again"
    case .tooLarge(let row, let column):
      "row \(row), column \(column): the weight is beyond \(Self.magnitudeMax), which no block "
        + "format can say; keep the tensor as it is"
    case .notWholeBlocks(let columnCount, let format, let blockElementCount):
      "rows of \(columnCount) elements are not whole blocks of \(blockElementCount), as \(format) "
        + "wants them; take a format with smaller blocks"
    }
  }
}
