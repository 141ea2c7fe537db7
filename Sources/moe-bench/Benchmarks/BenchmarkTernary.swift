internal import MoECore
internal import MoEKernels

/// Ternary rows with the share of zeros that QMoE (arXiv 2310.16795) assumes.
enum BenchmarkTernary {
  static let zeroShare = 0.885
  /// Rows of which the others are copies.
  private static let distinctRowCount = 512

  /// Packed rows.
  static func fill(_ bytes: ByteView, rowCount: Int, columnCount: Int) {
    var generator = SeededGenerator(seed: 4)
    let size = QuantFormat.ternary.rowByteCount(columnCount: columnCount)
    for row in 0..<rowCount {
      let packed = bytes.slice(row * size, count: size)
      guard row < distinctRowCount else {
        packed.copy(from: bytes.slice(row % distinctRowCount * size, count: size))
        continue
      }
      let digits = (0..<columnCount).map { _ in
        generator.nextUnit() < zeroShare
          ? TernaryRows.zeroDigit
          : generator.nextUnit() < 0.5 ? TernaryRows.lowDigit : TernaryRows.highDigit
      }
      TernaryRows.pack(digits.span, low: 0xBF80, high: 0x3F80, into: packed)
    }
  }

  /// The same rows coded, as products read them, and how many bytes that is.
  static func coded(
    _ packed: ByteView, rowCount: Int, columnCount: Int
  ) throws -> (memory: BenchmarkMemory, byteCount: Int) {
    try QMoECode.prepareEncoder()
    let size = QuantFormat.ternary.rowByteCount(columnCount: columnCount)
    let most = QMoECode.codewordByteCount * QMoECode.codewordCountMax(columnCount: columnCount)
    // Sparse rows take less than half of packed ones.
    let memory = try BenchmarkMemory(
      byteCount: rowCount * (QMoECode.headByteCount + size) + most)
    var end = QMoECode.headByteCount * rowCount
    for row in 0..<rowCount {
      let source = packed.slice(row * size, count: size)
      let head = QMoECode.headByteCount * row
      memory.bytes.set(UInt32(end - head), at: head)
      memory.bytes.slice(head + 4, count: 4).copy(from: source.slice(0, count: 4))
      let count = QMoECode.encode(
        source, columnCount: columnCount, into: memory.bytes.slice(end, count: most))
      end += QMoECode.codewordByteCount * count
    }
    return (memory, end)
  }
}
