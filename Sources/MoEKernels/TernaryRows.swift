internal import CMoEKernelsInterface
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
    let groups = row.slice(levelsByteCount, count: row.count - levelsByteCount)
    // One after the other without a branch: rows are checked whenever they arrive.
    var overlap: UInt64 = 0
    for group in 0..<groups.count / groupByteCount {
      let both = unsafe groups.pointer.loadUnaligned(
        fromByteOffset: group * groupByteCount, as: UInt64.self)
      overlap |= both & both >> 32
    }
    guard UInt32(truncatingIfNeeded: overlap) == 0 else { return false }
    let rest = columnCount % groupColumnCount
    guard rest > 0 else { return true }
    let last = groups.count - groupByteCount
    let any =
      groups.littleEndianWord(at: last) | groups.littleEndianWord(at: last + groupByteCount / 2)
    return any >> UInt32(rest) == 0
  }

  /// Whether 4 bytes are low and high.
  package static func areLevels(_ bytes: ByteView) -> Bool {
    let word = bytes.littleEndianWord(at: 0)
    let low = Float(bitPattern: word << 16)
    let high = Float(bitPattern: word & 0xFFFF_0000)
    return low.isFinite && high.isFinite && low <= 0 && high >= 0
  }

  // MARK: - Planes

  /// Bytes of a row's plane of digits that are not zero; its signs take at most as many.
  package static func planeByteCount(columnCount: Int) -> Int {
    (columnCount + groupColumnCount - 1) / groupColumnCount * groupByteCount / 2
  }

  /// The digits of a packed row as planes: which are not zero, and of those which are high, from
  /// bit `signsEnd` on; returns where these end. `signs` has zeros there, and room.
  package static func split(
    _ row: ByteView, nonzero: ByteView, signs: ByteView, from signsEnd: Int
  ) -> Int {
    let groupCount = (row.count - levelsByteCount) / groupByteCount
    precondition(nonzero.count >= 4 * groupCount)
    precondition(8 * signs.count - signsEnd >= groupCount * groupColumnCount)
    return unsafe moe_ternary_split(
      row.pointer.assumingMemoryBound(to: UInt8.self) + levelsByteCount, groupCount,
      nonzero.pointer.assumingMemoryBound(to: UInt8.self),
      signs.pointer.assumingMemoryBound(to: UInt8.self), signsEnd)
  }

  /// Planes, which may be anything, to the digits of a packed row, whose levels stay; returns where
  /// its signs end, or nil where there are too few.
  package static func join(
    nonzero: ByteView, signs: ByteView, from signsStart: Int, into row: ByteView
  ) -> Int? {
    let groupCount = (row.count - levelsByteCount) / groupByteCount
    precondition(nonzero.count >= 4 * groupCount && signsStart <= 8 * signs.count)
    let end = unsafe moe_ternary_join(
      nonzero.pointer.assumingMemoryBound(to: UInt8.self), groupCount,
      signs.pointer.assumingMemoryBound(to: UInt8.self), signs.count, signsStart,
      row.pointer.assumingMemoryBound(to: UInt8.self) + levelsByteCount)
    return end == Int(bitPattern: UInt.max) ? nil : end
  }
}
