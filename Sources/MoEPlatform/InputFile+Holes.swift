#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

extension InputFile {
  private static let (seekData, seekHole): (Int32, Int32) = (3, 4)

  /// The first run of these bytes that was never written, so that it has no place on disk and reads
  /// as zeros: what a preallocated download that stopped leaves behind. Nil where there is none, or
  /// where the file system does not tell.
  package func firstHole(in bytes: Range<Int>) -> Range<Int>? {
    let end = min(bytes.upperBound, identity.byteCount)
    guard bytes.lowerBound < end else { return nil }
    let start = Int(lseek(descriptor, off_t(bytes.lowerBound), Self.seekHole))
    guard start >= 0, start < end else { return nil }
    let next = Int(lseek(descriptor, off_t(start), Self.seekData))
    // Where no data come any more, the hole goes on to the end of the file.
    return start..<(next < 0 ? end : min(next, end))
  }

  /// All such runs of the file, in ascending order; one for each call of the closure, which ends
  /// the search by returning false.
  package func forEachHole(_ body: (Range<Int>) -> Bool) {
    var start = 0
    while let hole = firstHole(in: start..<identity.byteCount) {
      guard body(hole) else { return }
      start = hole.upperBound
    }
  }

  /// At most `countMax` of the file's holes, the first ones.
  package func holes(countMax: Int = .max) -> [Range<Int>] {
    var holes: [Range<Int>] = []
    guard countMax > 0 else { return holes }
    forEachHole { hole in
      holes.append(hole)
      return holes.count < countMax
    }
    return holes
  }
}
