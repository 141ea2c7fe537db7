import MoECore
import MoEKernels
import MoEPlatform

/// One run of writing a file: which bytes are there.
final class QuantizedModelRun {
  let file: ResumableFile
  private let journal: WriteJournal
  /// Bytes of all pieces, and of those that are there.
  private let total: Int
  private var done = 0
  /// Bytes that the kernel was given and not yet told to write.
  private var waiting = 0..<0

  private static let flushByteCount = 64 << 20

  init(file: ResumableFile, total: Int, journal: WriteJournal) {
    self.file = file
    self.total = total
    self.journal = journal
  }

  /// (piece): whether an earlier run wrote it, and its bytes are still what it wrote.
  func resume(
    _ extents: [Range<Int>], _ progress: (_ done: Int, _ total: Int) -> Void
  ) throws(QuantizeError) -> [Bool] {
    let checksums = try withFileErrors { () throws(FileError) in try journal.open() }
    var isDone = [Bool](repeating: false, count: extents.count)
    for (piece, checksum) in checksums.enumerated() {
      guard let checksum else { continue }
      let extent = extents[piece]
      let bytes = try withFileErrors { () throws(FileError) in
        try file.bytes(at: extent.lowerBound, count: extent.count)
      }
      file.flush(extent, behind: extent)
      guard bytes.count == extent.count, CRC32C.checksum(bytes) == checksum else { continue }
      isDone[piece] = true
      done += extent.count
    }
    let missing = total - done
    try withFileErrors { () throws(FileError) in try file.checkRoom(for: missing) }
    progress(done, total)
    return isDone
  }

  /// The bytes first, then that they are there: what was cut off in between is no piece.
  func write(
    _ bytes: [UInt8], to extent: Range<Int>, piece: Int,
    _ progress: (_ done: Int, _ total: Int) -> Void
  ) throws(QuantizeError) {
    precondition(bytes.count == extent.count)
    try withFileErrors { () throws(FileError) in
      try file.write(bytes, at: extent.lowerBound)
      try journal.add(piece: piece, checksum: CRC32C.checksum(bytes))
    }
    done += bytes.count
    flush(extent)
    progress(done, total)
  }

  /// Pieces of experts come in another order than they lie in; what follows each other is flushed
  /// together.
  private func flush(_ extent: Range<Int>) {
    if extent.lowerBound == waiting.upperBound && waiting.count < Self.flushByteCount {
      waiting = waiting.lowerBound..<extent.upperBound
    } else {
      file.flush(waiting, behind: waiting)
      waiting = extent
    }
  }

  /// Writes the header, cuts the journal off, and puts the file in its place.
  func commit(_ header: [UInt8], fileByteCount: Int) throws(QuantizeError) {
    try withFileErrors { () throws(FileError) in
      try file.write(header, at: 0)
      // Padding behind the last tensor is a hole that reads as zeros.
      try file.truncate(to: fileByteCount)
      try file.commit()
    }
  }
}
