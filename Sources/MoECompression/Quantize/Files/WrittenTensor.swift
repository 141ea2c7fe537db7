import MoECore
import MoEExperts
import MoEFormats
import MoEKernels

/// One tensor of the file that is written, and what its bytes are made of.
struct WrittenTensor {
  /// What a piece of it takes to make.
  enum Work {
    /// Bytes of the source, one extent behind the other.
    case copy([FileExtent])
    /// Rows of a matrix, rounded to the nearest values.
    case encode(FileExtent, from: QuantFormat, BlockEncoder, rowCount: Int, columnCount: Int)
    /// A part of an expert, by its number in the source, which whoever knows its calibration rows
    /// makes.
    case expert(ExpertID, ExpertPartRole)
  }

  struct Piece {
    var work: Work
    /// From the tensor's first byte.
    var offset: Int
    var byteCount: Int
  }

  let name: String
  let dimensions: [Int]
  let formatID: UInt32
  let pieces: [Piece]

  var byteCount: Int { pieces.reduce(0) { $0 + $1.byteCount } }

  /// A piece takes about as much, so that memory is bounded.
  private static let pieceByteCount = 8 << 20

  init(name: String, dimensions: [Int], formatID: UInt32, work: [(work: Work, byteCount: Int)]) {
    self.name = name
    self.dimensions = dimensions
    self.formatID = formatID
    var end = 0
    pieces = work.map { work in
      defer { end += work.byteCount }
      return Piece(work: work.work, offset: end, byteCount: work.byteCount)
    }
  }

  /// Extents as they are, cut into pieces.
  static func copies(_ extents: [FileExtent]) -> [(work: Work, byteCount: Int)] {
    var work: [(work: Work, byteCount: Int)] = []
    var together: [FileExtent] = []
    var byteCount = 0
    func finish() {
      if !together.isEmpty { work.append((.copy(together), byteCount)) }
      (together, byteCount) = ([], 0)
    }
    for extent in extents {
      var rest = extent
      while rest.byteCount > 0 {
        let count = min(rest.byteCount, pieceByteCount - byteCount)
        together.append(
          FileExtent(fileIndex: rest.fileIndex, offset: rest.offset, byteCount: count))
        byteCount += count
        rest.offset += count
        rest.byteCount -= count
        if byteCount == pieceByteCount { finish() }
      }
    }
    finish()
    return work
  }

  /// A matrix in another format, some rows at a time.
  static func encoded(
    _ tensor: TensorDescriptor, from format: QuantFormat, _ encoder: BlockEncoder
  ) -> [(work: Work, byteCount: Int)] {
    let columnCount = tensor.shape[0]
    let rowCount = tensor.elementCount / columnCount
    let stored = format.rowByteCount(columnCount: columnCount)
    let written = encoder.format.rowByteCount(columnCount: columnCount)
    let pieceRowCount = max(1, pieceByteCount / (4 * columnCount))
    return stride(from: 0, to: rowCount, by: pieceRowCount).map { start in
      let count = min(pieceRowCount, rowCount - start)
      let extent = FileExtent(
        fileIndex: tensor.extent.fileIndex, offset: tensor.extent.offset + start * stored,
        byteCount: count * stored)
      return (
        .encode(
          extent, from: format, encoder, rowCount: count, columnCount: columnCount),
        count * written
      )
    }
  }
}
