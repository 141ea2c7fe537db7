import MoECore
import MoEKernels
import MoEPlatform

/// Which pieces of a file are written, kept behind its end until it is whole: an interrupted run
/// goes on with those that are sound.
///
/// A head that says for which file and recipe it is, then for each piece whether it is there, and
/// the checksum of its bytes.
struct WriteJournal {
  private let file: ResumableFile
  private let offset: Int
  private let head: [UInt8]
  private let pieceCount: Int

  private static let mark = Array("MOEGGUFJ".utf8)
  private static let doneMark: UInt32 = 0x444F_4E45
  private static let entryByteCount = 8
  private static let alignment = 4096

  /// - Parameters:
  ///   - recipe: Checksum of all that the pieces depend on.
  ///   - end: Of the file when it is whole.
  init(_ file: ResumableFile, recipe: UInt32, pieceCount: Int, end: Int) {
    self.file = file
    self.pieceCount = pieceCount
    offset = (end + Self.alignment - 1) / Self.alignment * Self.alignment
    var head = Self.mark
    head.append(littleEndian: recipe)
    head.append(littleEndian: UInt32(truncatingIfNeeded: pieceCount))
    head.append(littleEndian: UInt64(end))
    self.head = head
  }

  /// (piece): the checksums of an earlier run, nil for pieces that it did not write. Of another
  /// file or recipe there are none, and the file is emptied.
  func open() throws(FileError) -> [UInt32?] {
    let nothing = [UInt32?](repeating: nil, count: pieceCount)
    guard try file.bytes(at: offset, count: head.count) == head else {
      try file.truncate(to: 0)
      try file.write(head, at: offset)
      return nothing
    }
    let bytes = try file.bytes(
      at: offset + head.count, count: pieceCount * Self.entryByteCount)
    var reader = LittleEndianReader(bytes)
    var checksums = nothing
    for piece in 0..<pieceCount {
      guard let mark = reader.next(UInt32.self), let checksum = reader.next(UInt32.self) else {
        break
      }
      if mark == Self.doneMark { checksums[piece] = checksum }
    }
    return checksums
  }

  func add(piece: Int, checksum: UInt32) throws(FileError) {
    var entry: [UInt8] = []
    entry.append(littleEndian: Self.doneMark)
    entry.append(littleEndian: checksum)
    try file.write(entry, at: offset + head.count + piece * Self.entryByteCount)
  }
}
