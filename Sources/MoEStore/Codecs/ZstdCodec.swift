import MoECore
import MoEKernels

/// Weights sorted into planes (`BytePlanes`), each piece of a plane a zstd frame (RFC 8878), or as
/// it is where that is hardly larger.
///
/// A code is cut into units of some blocks of all planes, which are decoded side by side. It begins
/// with a table, (unit, plane) of 32-bit numbers with the lowest byte first: the bytes of the
/// piece, with the highest bit set where it is as it is. The pieces follow in the same order.
struct ZstdCodec {
  private let shape: CodedShape
  private let planes: BytePlanes
  private let unitBlockCount: Int
  private let blockCount: Int

  private static let plainMark: UInt32 = 1 << 31
  /// A code must be shorter than the bytes by one of so many: what gains less costs more time.
  private static let gainShare = 32
  /// (format): planes of the format with most.
  private static let planeCountMax = 5

  init(_ shape: CodedShape) {
    self.shape = shape
    planes = BytePlanes(shape.format)
    precondition(planes.planes.count <= Self.planeCountMax)
    blockCount = shape.byteCount / planes.blockByteCount
    unitBlockCount = CodecRoom.unitByteCount / planes.blockByteCount
  }

  private var planeCount: Int { planes.planes.count }
  private var unitCount: Int { (blockCount + unitBlockCount - 1) / unitBlockCount }
  private var tableByteCount: Int { 4 * unitCount * planeCount }

  private func blocks(ofUnit unit: Int) -> Range<Int> {
    unit * unitBlockCount..<min((unit + 1) * unitBlockCount, blockCount)
  }

  /// Nanoseconds of one thread for the whole part, about.
  private var cost: Int { shape.byteCount / 4 }

  /// Nil where no piece of any plane gains.
  func encode(_ part: ByteView, _ room: CodecRoom) throws(OutOfMemory) -> [UInt8]? {
    let unitByteCount = unitBlockCount * planes.blockByteCount
    // Pieces that gain nothing stay as they are, so that a unit takes no more than it has.
    let buffer = try AlignedBuffer(byteCount: tableByteCount + unitCount * unitByteCount)
    let sizes = buffer.words(count: unitCount * planeCount)
    let bodies = buffer.bytes(atOffset: tableByteCount, count: unitCount * unitByteCount)
    room.team.forEachPiece(count: unitCount, cost: 16 * cost) { unit, worker in
      let blocks = blocks(ofUnit: unit)
      let byteCount = blocks.count * planes.blockByteCount
      let scratch = room.scratch(ofWorker: worker)
      let (sorted, code) = (
        scratch.slice(0, count: byteCount),
        scratch.slice(byteCount, count: scratch.count - byteCount)
      )
      planes.split(
        part.slice(blocks.lowerBound * planes.blockByteCount, count: byteCount), into: sorted)
      var (start, end) = (0, unit * unitByteCount)
      for plane in 0..<planeCount {
        let piece = sorted.slice(start, count: blocks.count * planes.planes[plane].count)
        start += piece.count
        let count = room.compress(piece, into: code, worker: worker)
        let gains = count.map { $0 <= piece.count - piece.count / Self.gainShare - 1 } ?? false
        let body = gains ? code.slice(0, count: count ?? 0) : piece
        bodies.slice(end, count: body.count).copy(from: body)
        end += body.count
        sizes[unit * planeCount + plane] = UInt32(body.count) | (gains ? 0 : Self.plainMark)
      }
    }
    return joined(sizes, bodies)
  }

  private func joined(_ sizes: IndexView, _ bodies: ByteView) -> [UInt8]? {
    let total = sizes.array().reduce(tableByteCount) { $0 + Int($1 & ~Self.plainMark) }
    guard total < shape.byteCount else { return nil }
    var code: [UInt8] = []
    code.reserveCapacity(total)
    for size in sizes.array() { code.append(littleEndian: size) }
    for unit in 0..<unitCount {
      let pieces = sizes.slice(unit * planeCount, count: planeCount).array()
      let count = pieces.reduce(0) { $0 + Int($1 & ~Self.plainMark) }
      code.append(bodies.slice(unit * unitBlockCount * planes.blockByteCount, count: count))
    }
    return code
  }

  /// Decodes bytes that may be anything; nothing outside `part` is written.
  func decode(
    _ code: ByteView, into part: ByteView, _ room: CodecRoom
  ) throws(CodecError) {
    precondition(part.count >= shape.byteCount)
    guard code.count >= tableByteCount else { throw .wrongSize }
    try checkTable(of: code)
    try room.forEachPiece(count: unitCount, cost: cost) { unit, worker in
      let blocks = blocks(ofUnit: unit)
      let scratch = room.scratch(ofWorker: worker)
      var pieces = [5 of ByteView](repeating: code)
      // Each unit finds its start by itself: the table is short beside what it describes.
      var (start, end) = (self.start(ofUnit: unit, in: code), 0)
      for plane in 0..<planeCount {
        let byteCount = blocks.count * planes.planes[plane].count
        let size = self.size(unit, plane, in: code)
        let body = code.slice(start, count: size.byteCount)
        start += size.byteCount
        if size.isPlain {
          pieces[plane] = body
        } else {
          let piece = scratch.slice(end, count: byteCount)
          end += byteCount
          guard room.decompress(body, into: piece, worker: worker) else { return false }
          pieces[plane] = piece
        }
      }
      planes.join(
        { pieces[$0] },
        into: part.slice(
          blocks.lowerBound * planes.blockByteCount, count: blocks.count * planes.blockByteCount))
      return true
    }
  }

  private func size(
    _ unit: Int, _ plane: Int, in code: ByteView
  ) -> (byteCount: Int, isPlain: Bool) {
    let word = code.littleEndianWord(at: 4 * (unit * planeCount + plane))
    return (Int(word & ~Self.plainMark), word & Self.plainMark != 0)
  }

  private func start(ofUnit unit: Int, in code: ByteView) -> Int {
    var start = tableByteCount
    for number in 0..<unit * planeCount {
      start += Int(code.littleEndianWord(at: 4 * number) & ~Self.plainMark)
    }
    return start
  }

  /// Pieces as they are have their size, others less, and all together are what is there.
  private func checkTable(of code: ByteView) throws(CodecError) {
    var end = tableByteCount
    for unit in 0..<unitCount {
      let count = blocks(ofUnit: unit).count
      for plane in 0..<planeCount {
        let byteCount = count * planes.planes[plane].count
        let size = size(unit, plane, in: code)
        guard size.isPlain ? size.byteCount == byteCount : size.byteCount < byteCount else {
          throw .malformed
        }
        end += size.byteCount
      }
    }
    guard end == code.count else { throw .wrongSize }
  }
}
