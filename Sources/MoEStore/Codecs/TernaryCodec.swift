import MoECore
import MoEKernels

/// Packed ternary rows; where their digits are not zero, coded by zstd.
///
/// A code is cut into units of some rows, which are decoded side by side. It begins with two
/// numbers of 32 bits for each unit, the lowest byte first: the bytes of its plane of digits that
/// are not zero, with the highest bit set where they are as they are, and those of its signs. Low
/// and high of all rows follow, and then of each unit the plane, a zstd frame (RFC 8878) or as it
/// is where that is hardly larger, and the signs. A plane has a bit for each column, in words of 32
/// for each row; a sign, the next bit from the lowest one on, says of a digit that is not zero
/// whether it is high.
struct TernaryCodec {
  private let shape: CodedShape
  private let rowByteCount: Int
  /// Of a row.
  private let planeByteCount: Int
  private let unitRowCount: Int

  private static let plainMark: UInt32 = 1 << 31
  private static let levelByteCount = 4
  private static let entryByteCount = 8
  /// Planes must be shorter by one of so many bytes.
  private static let gainShare = 32

  /// - Parameter shape: Of packed ternary rows.
  init(_ shape: CodedShape) {
    self.shape = shape
    rowByteCount = shape.format.rowByteCount(columnCount: shape.columnCount)
    planeByteCount = TernaryRows.planeByteCount(columnCount: shape.columnCount)
    // Plane and signs together are a unit of work.
    unitRowCount = max(1, CodecRoom.unitByteCount / 2 / planeByteCount)
  }

  private var unitCount: Int { (shape.rowCount + unitRowCount - 1) / unitRowCount }
  private var levelsStart: Int { Self.entryByteCount * unitCount }
  private var bodiesStart: Int { levelsStart + Self.levelByteCount * shape.rowCount }
  /// Nanoseconds of one thread for the whole part, about.
  private var cost: Int { shape.byteCount }

  private func rows(ofUnit unit: Int) -> Range<Int> {
    unit * unitRowCount..<min((unit + 1) * unitRowCount, shape.rowCount)
  }

  private func levels(ofRow row: Int) -> Int { levelsStart + Self.levelByteCount * row }

  /// Nil where the code is not smaller than the part.
  func encode(_ part: ByteView, _ room: CodecRoom) throws(OutOfMemory) -> [UInt8]? {
    guard shape.format == .ternary else { return nil }
    let byteCount = bodiesStart + 2 * shape.rowCount * planeByteCount
    let buffer = try AlignedBuffer(byteCount: byteCount)
    let code = buffer.bytes(count: byteCount)
    room.team.forEachPiece(count: unitCount, cost: 8 * cost) { unit, worker in
      encode(unit, of: part, into: code, room, worker: worker)
    }
    let sizes = (0..<unitCount).map { size($0, in: code) }
    let total = sizes.reduce(bodiesStart) { $0 + $1.plane + $1.signs }
    guard total < shape.byteCount else { return nil }
    var bytes = code.slice(0, count: bodiesStart).array()
    bytes.reserveCapacity(total)
    for (unit, size) in sizes.enumerated() {
      bytes.append(code.slice(bodyStart(ofUnit: unit), count: size.plane + size.signs))
    }
    return bytes
  }

  /// Where a unit is before they are moved together.
  private func bodyStart(ofUnit unit: Int) -> Int {
    bodiesStart + 2 * unit * unitRowCount * planeByteCount
  }

  private func encode(
    _ unit: Int, of part: ByteView, into code: ByteView, _ room: CodecRoom, worker: Int
  ) {
    let rows = rows(ofUnit: unit)
    let scratch = room.scratch(ofWorker: worker)
    let plane = scratch.slice(0, count: rows.count * planeByteCount)
    let signs = scratch.slice(plane.count, count: plane.count)
    signs.fill(with: 0)
    var end = 0
    for (index, row) in rows.enumerated() {
      let packed = part.slice(row * rowByteCount, count: rowByteCount)
      code.slice(levels(ofRow: row), count: Self.levelByteCount)
        .copy(from: packed.slice(0, count: Self.levelByteCount))
      end = TernaryRows.split(
        packed, nonzero: plane.slice(index * planeByteCount, count: planeByteCount), signs: signs,
        from: end)
    }
    let rest = scratch.slice(2 * plane.count, count: scratch.count - 2 * plane.count)
    let count = room.compress(plane, into: rest, worker: worker)
    let gains = count.map { $0 < plane.count - plane.count / Self.gainShare } ?? false
    let body = gains ? rest.slice(0, count: count ?? 0) : plane
    let signByteCount = (end + 7) / 8
    let start = bodyStart(ofUnit: unit)
    code.slice(start, count: body.count).copy(from: body)
    code.slice(start + body.count, count: signByteCount)
      .copy(from: signs.slice(0, count: signByteCount))
    code.set(
      UInt32(body.count) | (gains ? 0 : Self.plainMark), at: Self.entryByteCount * unit)
    code.set(UInt32(signByteCount), at: Self.entryByteCount * unit + 4)
  }

  private func size(
    _ unit: Int, in code: ByteView
  ) -> (plane: Int, isPlain: Bool, signs: Int) {
    let word = code.littleEndianWord(at: Self.entryByteCount * unit)
    let signs = code.littleEndianWord(at: Self.entryByteCount * unit + 4)
    return (Int(word & ~Self.plainMark), word & Self.plainMark != 0, Int(signs))
  }

  /// Decodes bytes that may be anything to rows that are sound; nothing outside `part` is written.
  func decode(_ code: ByteView, into part: ByteView, _ room: CodecRoom) throws(CodecError) {
    guard shape.format == .ternary else { throw .malformed }
    precondition(part.count >= shape.byteCount)
    let starts = try starts(in: code)
    try room.forEachPiece(count: unitCount, cost: cost) { unit, worker in
      decode(unit, of: code, from: starts[unit], into: part, room, worker: worker)
    }
  }

  private func decode(
    _ unit: Int, of code: ByteView, from start: Int, into part: ByteView, _ room: CodecRoom,
    worker: Int
  ) -> Bool {
    let rows = rows(ofUnit: unit)
    let size = size(unit, in: code)
    var plane = code.slice(start, count: size.plane)
    let signs = code.slice(start + size.plane, count: size.signs)
    if !size.isPlain {
      let target = room.scratch(ofWorker: worker).slice(0, count: rows.count * planeByteCount)
      guard room.decompress(plane, into: target, worker: worker) else { return false }
      plane = target
    }
    var end = 0
    for (index, row) in rows.enumerated() {
      let packed = part.slice(row * rowByteCount, count: rowByteCount)
      packed.copy(from: code.slice(levels(ofRow: row), count: Self.levelByteCount))
      guard
        let next = TernaryRows.join(
          nonzero: plane.slice(index * planeByteCount, count: planeByteCount), signs: signs,
          from: end, into: packed),
        TernaryRows.isSound(packed, columnCount: shape.columnCount)
      else { return false }
      end = next
    }
    return (end + 7) / 8 == signs.count
  }

  /// Where each unit begins. Planes as they are have their size, others less, there are no more
  /// signs than columns, and all together are what is there.
  private func starts(in code: ByteView) throws(CodecError) -> [Int] {
    guard code.count >= bodiesStart else { throw .wrongSize }
    var (starts, end) = ([Int](), bodiesStart)
    for unit in 0..<unitCount {
      let byteCount = rows(ofUnit: unit).count * planeByteCount
      let size = size(unit, in: code)
      guard size.isPlain ? size.plane == byteCount : size.plane < byteCount,
        size.signs <= byteCount
      else { throw .malformed }
      starts.append(end)
      end += size.plane + size.signs
    }
    guard end == code.count else { throw .wrongSize }
    return starts
  }
}
