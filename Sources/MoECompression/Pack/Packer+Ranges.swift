import MoECore
import MoEKernels
import MoEPlatform
import MoEStore

/// What a bundle that stands alone has besides records.
extension Packer {
  /// None where the model's own files stay beside the bundle.
  var plainExtents: [FileExtent] { isStandalone ? source.plainExtents(besides: layers) : [] }

  /// Copies the model's bytes that are in no record behind the records. An interrupted run begins
  /// with the first of them again: nothing in the file tells which were complete.
  ///
  /// - Parameter progress: Called with the bytes that are done.
  func copyRanges(
    to writer: inout PackWriter, _ file: ResumableFile, _ progress: (_ done: Int) -> Void
  ) throws(PackError) {
    guard isStandalone else { return }
    let buffer = try AlignedBuffer.forPacking(byteCount: ExtentReader.pieceBufferByteCount)
    var done = 0
    for (number, range) in writer.bundle.ranges.enumerated() {
      let place = writer.place(of: range.extent)
      var checksum: UInt32 = 0
      try source.reader.forEachPiece(of: range.extent, through: buffer) {
        offset, bytes throws(PackError) in
        if cancellation?.isCancelled ?? false { throw .cancelled(partialPath: file.partialPath) }
        checksum = CRC32C.checksum(bytes, after: checksum)
        do throws(FileError) {
          try writer.write(bytes, at: place + offset)
        } catch {
          throw PackError(error)
        }
        done += bytes.count
        progress(done)
      }
      writer.set(
        BundleRange(extent: range.extent, place: place, checksum: checksum), number: number)
    }
    try source.reader.requireUnchanged()
  }
}
