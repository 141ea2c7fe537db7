import Foundation
import MoECore
import MoEPlatform
import MoEStore
import Testing

/// Files that are exchanged between the reading of their header and that of their weights.
@Suite struct ReplacedFileTests {
  private let files: TemporaryFiles
  private let path: String
  /// As its header's reader records it.
  private let file: StoreFile

  init() throws {
    files = try TemporaryFiles([patternedBytes(count: 100_000, seed: 1)])
    path = files.files[0].path
    file = StoreFile(path: path, byteCount: 100_000, identity: try InputFile(path).identity)
  }

  private func read() throws -> Bool {
    let reader = try ExtentReader(files: [file])
    let buffer = try PartBuffer(
      [FileExtent(fileIndex: 0, offset: 0, byteCount: 100_000)], reader.placement)
    try buffer.read(with: reader)
    try reader.verifyUnchanged()
    return buffer.holds(files.contents)
  }

  @Test func theSameFileIsRead() throws {
    #expect(try read())
    // Another name of it is still it.
    let other = path + ".moved"
    #expect(unsafe rename(path, other) == 0 && symlink(other, path) == 0)
    #expect(try read())
  }

  @Test func anotherOfTheSameSizeIsRefused() throws {
    let other = path + ".new"
    try Data(patternedBytes(count: 100_000, seed: 2)).write(to: URL(fileURLWithPath: other))
    #expect(unsafe rename(other, path) == 0)
    let expected = StoreError.changedSinceItsHeader(path: path, .replaced)
    #expect(throws: expected) { try read() }
    #expect(expected.description.contains("another file has taken its place"))
  }

  @Test func oneThatWasWrittenToIsRefused() throws {
    var times = [timespec(tv_sec: 5, tv_nsec: 7), timespec(tv_sec: 5, tv_nsec: 7)]
    #expect(unsafe utimensat(AT_FDCWD, path, &times, 0) == 0)
    #expect(throws: StoreError.changedSinceItsHeader(path: path, .modified)) { try read() }
  }

  @Test func oneOfAnotherSizeIsRefused() throws {
    #expect(unsafe truncate(path, 99_999) == 0)
    #expect(throws: StoreError.wrongFileSize(path: path, wanted: 100_000, found: 99_999)) {
      try read()
    }
  }

  @Test func oneThatIsHeldOpenMayLoseItsPath() throws {
    let reader = try ExtentReader(files: [file])
    let other = path + ".new"
    try Data(patternedBytes(count: 100_000, seed: 2)).write(to: URL(fileURLWithPath: other))
    #expect(unsafe rename(other, path) == 0)
    let buffer = try PartBuffer(
      [FileExtent(fileIndex: 0, offset: 0, byteCount: 100_000)], reader.placement)
    try buffer.read(with: reader)
    try reader.verifyUnchanged()
    #expect(buffer.holds(files.contents))
  }
}
