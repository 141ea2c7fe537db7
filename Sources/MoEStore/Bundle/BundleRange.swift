package import MoECore
import MoEKernels
package import MoEPlatform

/// A run of a model file's bytes that a bundle keeps as they are: a header, a tensor that is in no
/// record, or what lies between tensors.
package struct BundleRange: Hashable, Sendable {
  /// Where the bytes are in the model's own files.
  package var extent: FileExtent
  /// Where they are in the bundle: as far behind a multiple of 4096 as in the model's file, so that
  /// whatever is read lies in memory as it would otherwise.
  package var place: Int
  /// CRC-32C of the bytes.
  package var checksum: UInt32

  package init(extent: FileExtent, place: Int, checksum: UInt32) {
    self.extent = extent
    self.place = place
    self.checksum = checksum
  }

  /// The bundle's own bytes, file index 0.
  package var stored: FileExtent {
    FileExtent(fileIndex: 0, offset: place, byteCount: extent.byteCount)
  }

  /// Bytes in the table.
  static let entryByteCount = 32

  func append(to bytes: inout [UInt8]) {
    bytes.append(littleEndian: UInt32(extent.fileIndex))
    bytes.append(littleEndian: checksum)
    for number in [extent.offset, extent.byteCount, place] {
      bytes.append(littleEndian: UInt64(number))
    }
  }

  /// Nil where the bytes end, or a number is one that no file has.
  init?(_ reader: inout LittleEndianReader) {
    guard let fileIndex = reader.nextCount(UInt32.self), let checksum = reader.next(UInt32.self),
      let offset = reader.nextCount(UInt64.self), let byteCount = reader.nextCount(UInt64.self),
      let place = reader.nextCount(UInt64.self)
    else { return nil }
    self.init(
      extent: FileExtent(fileIndex: fileIndex, offset: offset, byteCount: byteCount),
      place: place, checksum: checksum)
  }
}

extension Bundle {
  /// Whether it has all of the model, so that the model's own files may be gone.
  package var isStandalone: Bool { !ranges.isEmpty }

  /// The ranges of one of the model's files, ascending.
  package func ranges(ofFile index: Int) -> [BundleRange] {
    ranges.filter { $0.extent.fileIndex == index }
  }

  /// Makes sure that ranges ascend without touching the same byte of the model twice, lie in the
  /// files that they are of and in the bundle, and that each file's begin with its first byte,
  /// where its header is.
  func checkRanges() throws(BundleError) {
    guard isStandalone else { return }
    let damaged = BundleError.damagedTable(path: file.path)
    var (fileIndex, end) = (-1, 0)
    for range in ranges {
      let extent = range.extent
      if extent.fileIndex == fileIndex + 1, extent.offset == 0 {
        (fileIndex, end) = (extent.fileIndex, 0)
      }
      guard extent.fileIndex == fileIndex, marks.indices.contains(fileIndex),
        extent.offset >= end, extent.byteCount > 0,
        extent.offset <= marks[fileIndex].byteCount,
        extent.byteCount <= marks[fileIndex].byteCount - extent.offset,
        range.place >= recordsOffset,
        range.place % Self.recordAlignment == extent.offset % Self.recordAlignment
      else { throw damaged }
      guard range.place <= file.byteCount, extent.byteCount <= file.byteCount - range.place else {
        let (wanted, isHuge) = range.place.addingReportingOverflow(extent.byteCount)
        throw .truncated(
          path: file.path, wanted: isHuge ? .max : wanted, found: file.byteCount)
      }
      end = extent.offset + extent.byteCount
    }
    guard fileIndex == marks.count - 1 else { throw damaged }
  }
}

extension BundleRange {
  private static let pieceByteCount = 1 << 20

  /// Whether the bytes are those that were packed; false too where the file ends before them.
  package func isSound(in input: InputFile) throws(FileError) -> Bool {
    var (done, found) = (0, 0 as UInt32)
    while done < extent.byteCount {
      let count = min(Self.pieceByteCount, extent.byteCount - done)
      let piece = try input.bytes(at: place + done, count: count)
      guard piece.count == count else { return false }
      found = CRC32C.checksum(piece, after: found)
      done += count
    }
    return found == checksum
  }
}
