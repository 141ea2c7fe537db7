import MoECore
import MoEExperts
import MoEStore

/// The bytes of a model's files that are in no record of a bundle: headers, tensors, and what lies
/// between tensors.
enum PlainExtents {
  /// Ascending by file and offset; each tensor by itself, so that it has a checksum of its own.
  ///
  /// - Parameters:
  ///   - fileByteCounts: (file)
  ///   - tensors: Of all tensors: inside their files and disjoint, as their reader has checked.
  ///   - layers: Layers whose experts are in records, each tensor of theirs as a whole.
  static func all(
    fileByteCounts: [Int], tensors: [FileExtent], besides layers: [ExpertLayer]
  ) -> [FileExtent] {
    let packed = Set(layers.flatMap(\.parts).flatMap(\.runs))
    let byFile = Dictionary(grouping: tensors, by: \.fileIndex)
    var extents: [FileExtent] = []
    for (index, fileByteCount) in fileByteCounts.enumerated() {
      var end = 0
      func append(upTo next: Int) {
        if next > end {
          extents.append(FileExtent(fileIndex: index, offset: end, byteCount: next - end))
        }
        end = max(end, next)
      }
      for tensor in (byFile[index] ?? []).sorted(by: { $0.offset < $1.offset }) {
        append(upTo: tensor.offset)
        if packed.contains(tensor) {
          end = tensor.offset + tensor.byteCount
        } else {
          append(upTo: tensor.offset + tensor.byteCount)
        }
      }
      append(upTo: fileByteCount)
    }
    return extents
  }
}

extension ExtentReader {
  /// Bytes that are read at a time of what may be of any size.
  static let pieceByteCount = 4 << 20
  /// Memory in which they are read, wherever they lie.
  static var pieceBufferByteCount: Int { pieceByteCount + 2 * ReadPlacement.alignmentMax }

  /// Reads a run of bytes piece by piece; `body` has each until it returns.
  ///
  /// - Parameter buffer: Of `pieceBufferByteCount`.
  func forEachPiece(
    of extent: FileExtent, through buffer: borrowing AlignedBuffer,
    _ body: (_ offset: Int, _ bytes: ByteView) throws(PackError) -> Void
  ) throws(PackError) {
    var done = 0
    while done < extent.byteCount {
      let piece = FileExtent(
        fileIndex: extent.fileIndex, offset: extent.offset + done,
        byteCount: min(Self.pieceByteCount, extent.byteCount - done))
      let region = buffer.bytes(count: placement.slotByteCount(for: piece))
      let parts: [1 of ReadPart] = [
        unsafe ReadPart(extent: piece, destination: region.pointer, capacity: region.count)
      ]
      do {
        try read(parts.span)
      } catch {
        throw .store(error)
      }
      try body(done, region.slice(placement.phase(of: piece), count: piece.byteCount))
      done += piece.byteCount
    }
  }

  /// Throws where a file is not what it was when the reader was made.
  func requireUnchanged() throws(PackError) {
    do {
      try verifyUnchanged()
    } catch {
      throw .store(error)
    }
  }
}

extension AlignedBuffer {
  /// Memory of a packer's, for its reason in an error.
  static func forPacking(byteCount: Int) throws(PackError) -> AlignedBuffer {
    do {
      return try AlignedBuffer(byteCount: byteCount)
    } catch {
      throw .outOfMemory("\(error)")
    }
  }
}
