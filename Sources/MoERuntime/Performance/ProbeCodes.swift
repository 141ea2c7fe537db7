import MoECore
import MoEKernels
import MoEStore

/// Coded rows of one width for products to be timed with: random digits of a trained model's
/// sparsity, over and over. Regions are handed out in turn.
final class ProbeCodes {
  private let buffer: AlignedBuffer
  private let rowCount: Int
  private var row = 0

  /// Of weights that are 0: what QMoE (arXiv 2310.16795) found in its largest model.
  private static let zeroShare = 0.886
  private static let distinctRowCount = 64

  /// - Parameters:
  ///   - rowCount: What a region has at most.
  ///   - byteCount: About what all of it may take, if that is enough for a region.
  init(columnCount: Int, rowCount: Int, byteCount: Int) throws(OutOfMemory) {
    try QMoECode.prepareEncoder()
    let rows = try Self.rows(columnCount: columnCount)
    let rowByteCount =
      QMoECode.headByteCount + rows.reduce(0) { $0 + $1.count } / Self.distinctRowCount
    let count = max(rowCount, byteCount / rowByteCount)
    let codesByteCount = (0..<count).reduce(0) { $0 + rows[$1 % rows.count].count }
    buffer = try AlignedBuffer(byteCount: QMoECode.headByteCount * count + codesByteCount)
    self.rowCount = count
    let bytes = buffer.bytes(count: buffer.byteCount)
    var end = QMoECode.headByteCount * count
    for row in 0..<count {
      let codes = rows[row % rows.count]
      let head = QMoECode.headByteCount * row
      bytes.set(UInt32(end - head), at: head)
      // Low and high: -1 and 1 as bfloat16.
      bytes.set(0x3F80_BF80, at: head + 4)
      bytes.slice(end, count: codes.count).copy(from: codes)
      end += codes.count
    }
  }

  private static func rows(columnCount: Int) throws(OutOfMemory) -> [[UInt8]] {
    var generator = SeededGenerator(seed: 1)
    let rowByteCount = QuantFormat.ternary.rowByteCount(columnCount: columnCount)
    let codeByteCount =
      QMoECode.codewordByteCount * QMoECode.codewordCountMax(columnCount: columnCount)
    let memory = try AlignedBuffer(byteCount: rowByteCount.alignedUp(to: 64) + codeByteCount)
    let packed = memory.bytes(count: rowByteCount)
    let codes = memory.bytes(
      atOffset: rowByteCount.alignedUp(to: 64), count: codeByteCount)
    return (0..<distinctRowCount).map { _ in
      let digits = (0..<columnCount).map { _ in
        generator.nextUnit() < zeroShare
          ? TernaryRows.zeroDigit
          : generator.nextUnit() < 0.5 ? TernaryRows.lowDigit : TernaryRows.highDigit
      }
      TernaryRows.pack(digits.span, low: 0xBF80, high: 0x3F80, into: packed)
      let count = QMoECode.encode(packed, columnCount: columnCount, into: codes)
      return codes.slice(0, count: QMoECode.codewordByteCount * count).array()
    }
  }

  /// Heads of the next rows; their codewords are behind all heads. Valid while this lives.
  func next(_ count: Int) -> ByteView {
    precondition(count <= rowCount)
    if row + count > rowCount { row = 0 }
    defer { row += count }
    return buffer.bytes(
      atOffset: QMoECode.headByteCount * row, count: QMoECode.headByteCount * count)
  }
}
