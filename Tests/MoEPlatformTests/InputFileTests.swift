import Foundation
import MoEPlatform
import Testing

@Suite struct InputFileTests {
  private let place: TemporaryPlace

  init() throws { place = try TemporaryPlace() }

  @Test func readsUpToTheEnd() throws {
    let bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 * 7) }
    let file = try InputFile(place.write(bytes, to: "a"))
    #expect(file.identity.byteCount == 10_000)
    #expect(try file.bytes(at: 0, count: 10_000) == bytes)
    #expect(try file.bytes(at: 9_990, count: 100) == Array(bytes[9_990...]))
    #expect(try file.bytes(at: 10_000, count: 1).isEmpty)
    #expect(try file.bytes(at: 77, count: 0).isEmpty)
  }

  @Test func refusesWhatIsNotAFileWithoutWaitingForIt() throws {
    let pipe = place.path("pipe")
    #expect(unsafe mkfifo(pipe, 0o600) == 0)
    let cases: [(String, FileError)] = [
      (place.path("gone"), .system(path: place.path("gone"), code: ENOENT)),
      (place.url.path, .notRegular(path: place.url.path, kind: .directory)),
      (pipe, .notRegular(path: pipe, kind: .pipe)),
      ("/dev/null", .notRegular(path: "/dev/null", kind: .device)),
      ("", .impossibleName(path: "")),
      ("a\0b", .impossibleName(path: "a\0b")),
    ]
    for (path, expected) in cases {
      #expect(throws: expected) { _ = try InputFile(path) }
      #expect(!expected.reason.isEmpty && expected.path == path)
    }
  }

  @Test func tellsAFileFromWhatTookItsPlace() throws {
    let path = try place.write([1, 2, 3], to: "a")
    let before = try InputFile(path).identity
    #expect(try before.change(to: InputFile(path).identity) == nil)
    let other = try place.write([1, 2, 3], to: "b")
    #expect(unsafe rename(other, path) == 0)
    #expect(try before.change(to: InputFile(path).identity) == .replaced)
  }

  @Test func noticesChangesOfAFileHeldOpen() throws {
    let path = try place.write([1, 2, 3], to: "a")
    let file = try InputFile(path)
    // Renaming and unlinking change nothing about what is held open.
    #expect(unsafe rename(path, place.path("b")) == 0)
    #expect(try file.identity.change(to: file.identityNow()) == nil)
    var times = [timespec(tv_sec: 5, tv_nsec: 7), timespec(tv_sec: 5, tv_nsec: 7)]
    #expect(unsafe utimensat(AT_FDCWD, place.path("b"), &times, 0) == 0)
    #expect(try file.identity.change(to: file.identityNow()) == .modified)
    #expect(unsafe truncate(place.path("b"), 1) == 0)
    #expect(try file.identity.change(to: file.identityNow()) == .resized(from: 3, to: 1))
  }

  @Test func readsWholeFilesUpToALimit() throws {
    let bytes = (0..<9000).map { UInt8(truncatingIfNeeded: $0 * 3) }
    let path = try place.write(bytes, to: "a")
    #expect(try WholeFile.contents(of: path, byteCountMax: 9000) == bytes)
    #expect(throws: FileError.tooLarge(path: path, byteCountMax: 8999)) {
      try WholeFile.contents(of: path, byteCountMax: 8999)
    }
    #expect(try WholeFile.contents(of: place.write([], to: "empty"), byteCountMax: 0) == [])
    // A file of the kernel that says that it is empty.
    #expect(try !WholeFile.contents(of: "/proc/self/status", byteCountMax: 1 << 20).isEmpty)
    #expect(throws: FileError.tooLarge(path: "/proc/self/status", byteCountMax: 10)) {
      try WholeFile.contents(of: "/proc/self/status", byteCountMax: 10)
    }
  }

  @Test func coversWholePagesOfAnySize() {
    for page in [4096, 16 << 10, 64 << 10] {
      #expect(MemoryPage.covering(0..<0, pageByteCount: page) == 0..<0)
      #expect(MemoryPage.covering(1..<2, pageByteCount: page) == 0..<page)
      #expect(MemoryPage.covering(page..<2 * page, pageByteCount: page) == page..<2 * page)
      #expect(MemoryPage.covering(page - 1..<page + 1, pageByteCount: page) == 0..<2 * page)
    }
    #expect(MemoryPage.byteCount == sysconf(Int32(_SC_PAGESIZE)))
  }

  @Test func countsAndDropsWhatThePageCacheHolds() throws {
    let page = MemoryPage.byteCount
    let file = try InputFile(place.write([UInt8](repeating: 1, count: 10 * page), to: "a"))
    let whole = 0..<10 * page
    file.adviseRandomReads()
    file.dropFromPageCache()
    guard file.cachedByteCount(in: whole) == 0 else {
      try Test.cancel("this file system keeps its pages")
    }
    _ = try file.bytes(at: 3 * page + 5, count: page)
    #expect(file.cachedByteCount(in: whole) == 2 * page)
    #expect(file.cachedByteCount(in: 4 * page..<4 * page + 1) == page)
    #expect(file.cachedByteCount(in: 5 * page..<20 * page) == 0)
    file.dropFromPageCache(3 * page + 5..<3 * page + 6)
    #expect(file.cachedByteCount(in: whole) == page)
  }
}
