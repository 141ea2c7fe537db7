import MoECore
import MoEKernels

/// Ternary rows in QMoE's dictionary code (arXiv 2310.16795, section 4), which stays coded in
/// memory.
///
/// A code is a head of 8 bytes for each row, and the codewords of all rows, one row behind the
/// other, in 16 bits with the lower byte first. A head is the number of codewords before the row's,
/// in 32 bits with the lowest byte first, and low and high as bfloat16. In memory the number is
/// another one (`QMoECode`); sizes stay.
struct QMoECodec {
  private let shape: CodedShape
  private let packedByteCount: Int

  private static let pieceRowCount = 32
  private static let levelsOffset = 4

  /// - Parameter shape: Of packed ternary rows.
  init(_ shape: CodedShape) {
    self.shape = shape
    packedByteCount = shape.format.rowByteCount(columnCount: shape.columnCount)
  }

  private var headsByteCount: Int { QMoECode.headByteCount * shape.rowCount }
  private var pieceCount: Int { (shape.rowCount + Self.pieceRowCount - 1) / Self.pieceRowCount }

  private func rows(ofPiece piece: Int) -> Range<Int> {
    piece * Self.pieceRowCount..<min((piece + 1) * Self.pieceRowCount, shape.rowCount)
  }

  /// Nil where packed rows are not larger.
  func encode(_ part: ByteView, _ room: CodecRoom) throws(OutOfMemory) -> [UInt8]? {
    guard shape.format == .ternary else { return nil }
    try QMoECode.prepareEncoder()
    let most =
      QMoECode.codewordByteCount * QMoECode.codewordCountMax(columnCount: shape.columnCount)
    let countsByteCount = (4 * shape.rowCount).alignedUp(to: 64)
    let buffer = try AlignedBuffer(byteCount: countsByteCount + shape.rowCount * most)
    let counts = buffer.words(count: shape.rowCount)
    let cost = shape.rowCount * shape.columnCount / 2
    room.team.forEachPiece(count: pieceCount, cost: cost) { piece, _ in
      for row in rows(ofPiece: piece) {
        counts[row] = UInt32(
          QMoECode.encode(
            part.slice(row * packedByteCount, count: packedByteCount),
            columnCount: shape.columnCount,
            into: buffer.bytes(atOffset: countsByteCount + row * most, count: most)))
      }
    }
    let total = counts.array().reduce(0) { $0 + Int($1) }
    let byteCount = headsByteCount + QMoECode.codewordByteCount * total
    guard byteCount < shape.byteCount else { return nil }
    var code: [UInt8] = []
    code.reserveCapacity(byteCount)
    var first: UInt32 = 0
    for row in 0..<shape.rowCount {
      code.append(littleEndian: first)
      code.append(part.slice(row * packedByteCount, count: Self.levelsOffset))
      first += counts[row]
    }
    for row in 0..<shape.rowCount {
      code.append(
        buffer.bytes(
          atOffset: countsByteCount + row * most,
          count: QMoECode.codewordByteCount * Int(counts[row])))
    }
    return code
  }

  /// Bytes that may be anything to a coded matrix that products can read without looking at what
  /// they read: every row's codewords are its columns, no more and no less.
  func decode(_ code: ByteView, into part: ByteView, _ room: CodecRoom) throws(CodecError) {
    guard shape.format == .ternary, code.count >= headsByteCount,
      code.count <= Int(UInt32.max), (code.count - headsByteCount) % 2 == 0
    else { throw .wrongSize }
    precondition(part.count >= code.count)
    do throws(OutOfMemory) {
      try QMoECode.prepare()
    } catch {
      throw .outOfMemory
    }
    room.team.copy(code, to: part)
    let cost = shape.rowCount * shape.columnCount / 16
    try room.forEachPiece(count: pieceCount, cost: cost) { piece, _ in
      rows(ofPiece: piece).allSatisfy { finish($0, code, part) }
    }
  }

  /// Checks a row; its head then says where its codewords are.
  private func finish(_ row: Int, _ code: ByteView, _ part: ByteView) -> Bool {
    let codewords = code.slice(headsByteCount, count: code.count - headsByteCount)
    let head = row * QMoECode.headByteCount
    let start = QMoECode.codewordByteCount * Int(code.littleEndianWord(at: head))
    let isLast = row + 1 == shape.rowCount
    let end =
      isLast
      ? codewords.count
      : QMoECode.codewordByteCount
        * Int(code.littleEndianWord(at: head + QMoECode.headByteCount))
    guard start <= end, end <= codewords.count, row > 0 || start == 0,
      TernaryRows.areLevels(code.slice(head + Self.levelsOffset, count: 4)),
      QMoECode.isRow(
        codewords.slice(start, count: end - start), columnCount: shape.columnCount)
    else { return false }
    part.set(UInt32(headsByteCount + start - head), at: head)
    return true
  }
}
