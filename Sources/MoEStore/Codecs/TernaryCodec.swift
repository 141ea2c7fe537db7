import MoECore
import MoEKernels

/// Packed ternary rows, their digits coded by zstd.
///
/// A code is cut into units of some rows, which are decoded side by side. It begins with a number
/// of 32 bits for each unit, the lowest byte first: the bytes of the unit's digits, with the
/// highest bit set where they are as they are. Low and high of all rows follow, and then the digits
/// of each unit: a zstd frame (RFC 8878), or as they are where that is hardly larger.
struct TernaryCodec {
  private let shape: CodedShape
  private let rowByteCount: Int
  private let digitByteCount: Int
  private let unitRowCount: Int

  private static let plainMark: UInt32 = 1 << 31
  private static let levelByteCount = 4
  /// Digits must be shorter than packed ones by one of so many bytes.
  private static let gainShare = 32

  /// - Parameter shape: Of packed ternary rows.
  init(_ shape: CodedShape) {
    self.shape = shape
    rowByteCount = shape.format.rowByteCount(columnCount: shape.columnCount)
    digitByteCount = rowByteCount - Self.levelByteCount
    unitRowCount = max(1, CodecRoom.unitByteCount / digitByteCount)
  }

  private var unitCount: Int { (shape.rowCount + unitRowCount - 1) / unitRowCount }
  private var levelsStart: Int { 4 * unitCount }
  private var digitsStart: Int { levelsStart + Self.levelByteCount * shape.rowCount }
  /// Nanoseconds of one thread for the whole part, about.
  private var cost: Int { shape.byteCount / 2 }

  private func rows(ofUnit unit: Int) -> Range<Int> {
    unit * unitRowCount..<min((unit + 1) * unitRowCount, shape.rowCount)
  }

  private func levels(ofRow row: Int) -> Int { levelsStart + Self.levelByteCount * row }

  /// Nil where no unit gains.
  func encode(_ part: ByteView, _ room: CodecRoom) throws(OutOfMemory) -> [UInt8]? {
    guard shape.format == .ternary else { return nil }
    let buffer = try AlignedBuffer(byteCount: digitsStart + shape.rowCount * digitByteCount)
    let code = buffer.bytes(count: digitsStart + shape.rowCount * digitByteCount)
    room.team.forEachPiece(count: unitCount, cost: 16 * cost) { unit, worker in
      let rows = rows(ofUnit: unit)
      let scratch = room.scratch(ofWorker: worker)
      let digits = scratch.slice(0, count: rows.count * digitByteCount)
      for (index, row) in rows.enumerated() {
        let packed = part.slice(row * rowByteCount, count: rowByteCount)
        code.slice(levels(ofRow: row), count: Self.levelByteCount)
          .copy(from: packed.slice(0, count: Self.levelByteCount))
        digits.slice(index * digitByteCount, count: digitByteCount)
          .copy(from: packed.slice(Self.levelByteCount, count: digitByteCount))
      }
      let coded = scratch.slice(digits.count, count: scratch.count - digits.count)
      let count = room.compress(digits, into: coded, worker: worker)
      let gains = count.map { $0 < digits.count - digits.count / Self.gainShare } ?? false
      let body = gains ? coded.slice(0, count: count ?? 0) : digits
      code.slice(
        digitsStart + rows.lowerBound * digitByteCount, count: body.count
      ).copy(from: body)
      code.set(UInt32(body.count) | (gains ? 0 : Self.plainMark), at: 4 * unit)
    }
    return joined(code)
  }

  /// Moves the units together.
  private func joined(_ code: ByteView) -> [UInt8]? {
    let sizes = (0..<unitCount).map { size($0, in: code).byteCount }
    let total = sizes.reduce(digitsStart, +)
    guard total < shape.byteCount else { return nil }
    var bytes = code.slice(0, count: digitsStart).array()
    bytes.reserveCapacity(total)
    for (unit, size) in sizes.enumerated() {
      bytes.append(
        code.slice(digitsStart + unit * unitRowCount * digitByteCount, count: size))
    }
    return bytes
  }

  private func size(_ unit: Int, in code: ByteView) -> (byteCount: Int, isPlain: Bool) {
    let word = code.littleEndianWord(at: 4 * unit)
    return (Int(word & ~Self.plainMark), word & Self.plainMark != 0)
  }

  /// Decodes bytes that may be anything to rows that are sound; nothing outside `part` is written.
  func decode(_ code: ByteView, into part: ByteView, _ room: CodecRoom) throws(CodecError) {
    guard shape.format == .ternary else { throw .malformed }
    precondition(part.count >= shape.byteCount)
    let starts = try starts(in: code)
    try room.forEachPiece(count: unitCount, cost: cost) { unit, worker in
      let rows = rows(ofUnit: unit)
      let size = size(unit, in: code)
      var digits = code.slice(starts[unit], count: size.byteCount)
      if !size.isPlain {
        let target = room.scratch(ofWorker: worker).slice(0, count: rows.count * digitByteCount)
        guard room.decompress(digits, into: target, worker: worker) else { return false }
        digits = target
      }
      for (index, row) in rows.enumerated() {
        let packed = part.slice(row * rowByteCount, count: rowByteCount)
        packed.copy(from: code.slice(levels(ofRow: row), count: Self.levelByteCount))
        packed.slice(Self.levelByteCount, count: digitByteCount)
          .copy(from: digits.slice(index * digitByteCount, count: digitByteCount))
        guard TernaryRows.isSound(packed, columnCount: shape.columnCount) else { return false }
      }
      return true
    }
  }

  /// Where the digits of each unit begin. Those as they are have their size, others less, and all
  /// together are what is there.
  private func starts(in code: ByteView) throws(CodecError) -> [Int] {
    guard code.count >= digitsStart else { throw .wrongSize }
    var (starts, end) = ([Int](), digitsStart)
    for unit in 0..<unitCount {
      let byteCount = rows(ofUnit: unit).count * digitByteCount
      let size = size(unit, in: code)
      guard size.isPlain ? size.byteCount == byteCount : size.byteCount < byteCount else {
        throw .malformed
      }
      starts.append(end)
      end += size.byteCount
    }
    guard end == code.count else { throw .wrongSize }
    return starts
  }
}
