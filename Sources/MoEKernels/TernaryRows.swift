package import MoECore

/// Rows of the three values zero, low and high (QMoE, arXiv 2310.16795, section 3), packed.
///
/// A row is low and high as bfloat16, the lower byte first, and then groups of 32 columns: a word
/// whose bit i says whether column i is low, and one that says whether it is high.
package enum TernaryRows {
  /// What an element is, one by one.
  package static let (zeroDigit, lowDigit, highDigit): (UInt8, UInt8, UInt8) = (0, 1, 2)

  static let levelsByteCount = 4
  static let (groupColumnCount, groupByteCount) = (32, 8)

  /// - Parameters:
  ///   - digits: (column)
  ///   - low, high: The bits of bfloat16 numbers.
  ///   - row: Of the format's bytes for so many columns.
  package static func pack(
    _ digits: Span<UInt8>, low: UInt16, high: UInt16, into row: ByteView
  ) {
    precondition(row.count == QuantFormat.ternary.rowByteCount(columnCount: digits.count))
    row.fill(with: 0)
    for (index, level) in [low, high].enumerated() {
      row[2 * index] = UInt8(truncatingIfNeeded: level)
      row[2 * index + 1] = UInt8(truncatingIfNeeded: level >> 8)
    }
    for column in digits.indices where digits[column] != zeroDigit {
      let group = levelsByteCount + column / groupColumnCount * groupByteCount
      let word = digits[column] == lowDigit ? 0 : groupByteCount / 2
      row[group + word + column % groupColumnCount / 8] |= 1 << UInt8(column % 8)
    }
  }

  /// (column): the digits of a packed row.
  package static func digits(_ row: ByteView, columnCount: Int) -> [UInt8] {
    (0..<columnCount).map { column in
      let group = levelsByteCount + column / groupColumnCount * groupByteCount
      let byte = group + column % groupColumnCount / 8
      func has(_ word: Int) -> Bool {
        row[byte + word * groupByteCount / 2] >> UInt8(column % 8) & 1 == 1
      }
      return has(0) ? lowDigit : has(1) ? highDigit : zeroDigit
    }
  }

  /// Whether bytes are such a row: low and high finite numbers, at most and at least 0, no column
  /// that is both, none behind the last.
  package static func isSound(_ row: ByteView, columnCount: Int) -> Bool {
    guard row.count == QuantFormat.ternary.rowByteCount(columnCount: columnCount),
      areLevels(row.slice(0, count: levelsByteCount))
    else { return false }
    let groupCount = (row.count - levelsByteCount) / groupByteCount
    for group in 0..<groupCount {
      let start = levelsByteCount + group * groupByteCount
      let low = row.littleEndianWord(at: start)
      let high = row.littleEndianWord(at: start + groupByteCount / 2)
      let rest = columnCount - group * groupColumnCount
      let beyond: UInt32 = rest < groupColumnCount ? .max << UInt32(rest) : 0
      guard low & high == 0, (low | high) & beyond == 0 else { return false }
    }
    return true
  }

  /// Whether 4 bytes are low and high.
  package static func areLevels(_ bytes: ByteView) -> Bool {
    let word = bytes.littleEndianWord(at: 0)
    let low = Float(bitPattern: word << 16)
    let high = Float(bitPattern: word & 0xFFFF_0000)
    return low.isFinite && high.isFinite && low <= 0 && high >= 0
  }
}
