import MoECore
import MoEKernels
import MoEStore

/// Makes what products read of parts that files have otherwise, once these are in their place.
///
/// The file's bytes are moved aside first, to memory that all parts share, so that a place needs no
/// more than the larger of the two forms.
struct PartConverter: ~Copyable {
  private let buffer: AlignedBuffer
  private let team: WorkerTeam

  init(_ layout: ExpertLayout, team: WorkerTeam) throws(OutOfMemory) {
    buffer = try AlignedBuffer(byteCount: layout.conversionByteCount)
    self.team = team
  }

  /// - Parameter region: Where the pieces of the expert's part were read to.
  borrowing func convert(
    _ part: ExpertPart, ofExpert expert: Int, in region: ByteView, alignment: Int,
    placement: ReadPlacement
  ) {
    guard let conversion = part.conversion else { return }
    var pieces: [2 of ByteView?] = [nil, nil]
    var end = 0
    for number in 0..<part.extentCount {
      let extent = part.extent(number, ofExpert: expert)
      let start = part.landingOffset(number, ofExpert: expert, alignment: alignment)
      let piece = buffer.bytes(atOffset: end, count: extent.byteCount)
      team.copy(
        region.slice(start + placement.phase(of: extent), count: extent.byteCount), to: piece)
      pieces[number] = piece
      end += ExpertPart.conversionPieceByteCount(extent.byteCount)
    }
    guard let main = pieces[0] else { return }
    let isMatrix = part.role.isMatrix
    team.convert(
      conversion, to: part.format, rowCount: isMatrix ? part.rowCount : part.columnCount,
      columnCount: isMatrix ? part.columnCount : 1, stored: main, scales: pieces[1],
      into: region.slice(0, count: part.slotByteCount))
  }
}

extension ExpertPart {
  /// What a piece takes while it is moved aside.
  static func conversionPieceByteCount(_ byteCount: Int) -> Int { (byteCount + 63) / 64 * 64 }

  /// What the pieces of an expert's part take while they are moved aside.
  fileprivate var conversionByteCount: Int {
    guard conversion != nil else { return 0 }
    return (0..<extentCount).reduce(0) {
      $0 + Self.conversionPieceByteCount(extent($1, ofExpert: 0).byteCount)
    }
  }
}

extension ExpertLayout {
  /// Memory besides the experts' own in which parts are converted; 0 where all are as stored.
  package var conversionByteCount: Int {
    layers.flatMap(\.parts).reduce(0) { max($0, $1.conversionByteCount) }
  }
}
