import Foundation
import MoECore
import MoEPlatform
import MoEStore
import Testing

/// What goes wrong with real files, done to real files.
@Suite struct RealFaultTests {
  /// Backends that read from disk while the model runs.
  static let diskNames = BackendRegistry.all.filter(\.isAutomatic).map(\.name)

  private func wholeFile(_ files: TemporaryFiles) -> FileExtent {
    FileExtent(fileIndex: 0, offset: 0, byteCount: files.contents[0].count)
  }

  @Test(arguments: diskNames) func noticesAFileTruncatedWhileRunning(_ name: String) throws {
    let files = try TemporaryFiles([patternedBytes(count: 500_000, seed: 1)])
    let path = files.files[0].path
    let reader = try makeReader(name, files)
    let buffer = try PartBuffer([wholeFile(files)], reader.placement)
    try buffer.read(with: reader)
    // Not at a block's border, so that the last read is short before one is empty.
    #expect(unsafe truncate(path, 300_001) == 0)
    try buffer.submit(to: reader, tag: 1)
    let error = #expect(throws: StoreError.self) { try reader.next(blocking: true) }
    guard case .fileTruncated(path, _, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(throws: StoreError.self) { try reader.next(blocking: false) }
  }

  @Test(arguments: diskNames) func noticesAFileThatGrewOrWasRewritten(_ name: String) throws {
    for growth in [0, 10] {
      let files = try TemporaryFiles([patternedBytes(count: 10_000, seed: 2)])
      let path = files.files[0].path
      let reader = try makeReader(name, files)
      let buffer = try PartBuffer([wholeFile(files)], reader.placement)
      try buffer.read(with: reader)
      try reader.verifyUnchanged()
      // Longer than the grain of the file system's clock.
      usleep(20_000)
      let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
      if growth > 0 { try handle.seekToEnd() }
      try handle.write(contentsOf: Data(repeating: 7, count: 10))
      try handle.close()
      let error = #expect(throws: StoreError.self) { try reader.verifyUnchanged() }
      guard case .fileChanged(path, _) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
    }
  }

  @Test func refusesWhatIsNotTheFileItWasTold() throws {
    let files = try TemporaryFiles([[1, 2, 3]])
    let path = files.files[0].path
    let pipe = path + ".pipe"
    #expect(unsafe mkfifo(pipe, 0o600) == 0)
    let cases: [(String, Int, StoreError)] = [
      (path + ".gone", 3, .cannotOpen(path: path + ".gone", code: ENOENT)),
      (files.directory.path, 3, .notARegularFile(path: files.directory.path, kind: .directory)),
      (pipe, 3, .notARegularFile(path: pipe, kind: .pipe)),
      ("/dev/null", 3, .notARegularFile(path: "/dev/null", kind: .device)),
      (path, 4, .wrongFileSize(path: path, wanted: 4, found: 3)),
    ]
    for (path, byteCount, expected) in cases {
      #expect(throws: expected) {
        _ = try ExtentReader(files: [StoreFile(path: path, byteCount: byteCount)])
      }
    }
  }

  @Test(arguments: diskNames) func readsFromMemoryFileSystems(_ name: String) throws {
    let shared = URL(fileURLWithPath: "/dev/shm")
    guard FileManager.default.isWritableFile(atPath: shared.path) else {
      try Test.cancel("no /dev/shm here")
    }
    let files = try TemporaryFiles([patternedBytes(count: 100_001, seed: 3)], in: shared)
    // Before Linux 6.6, tmpfs had no direct reads; something must read it all the same.
    let named = try? ExtentReader(files: files.files, backend: .named(name))
    let reader = try named ?? ExtentReader(files: files.files)
    #expect(reader.report.hasPrefix(name) == (named != nil))
    let buffer = try PartBuffer([wholeFile(files)], reader.placement)
    try buffer.read(with: reader)
    #expect(buffer.holds(files.contents))
  }

  @Test func fallsBackToBufferedWithoutDirectReads() throws {
    // Not a model, but a file of some size on a file system that never had direct reads.
    let path = "/sys/kernel/btf/vmlinux"
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
      let byteCount = attributes[.size] as? Int, byteCount > 1 << 20,
      let contents = FileManager.default.contents(atPath: path), contents.count == byteCount
    else { try Test.cancel("no \(path) here") }
    let files = [StoreFile(path: path, byteCount: byteCount)]
    for name in ["ring", "pread"] {
      let error = #expect(throws: StoreError.self) {
        _ = try ExtentReader(files: files, backend: .named(name))
      }
      guard case .backendUnavailable(name, _) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
    }
    let reader = try ExtentReader(files: files)
    #expect(reader.report.hasPrefix("buffered"))
    #expect(reader.report.contains("pread not taken: \(path): "))
    #expect(reader.report.contains("direct reads"))
    let buffer = try PartBuffer(
      [FileExtent(fileIndex: 0, offset: 12_345, byteCount: 1 << 20)], reader.placement)
    try buffer.read(with: reader)
    #expect(buffer.holds([[UInt8](contents)]))
  }

  @Test(arguments: diskNames) func leavesNothingInThePageCache(_ name: String) throws {
    let files = try TemporaryFiles([patternedBytes(count: 3_000_003, seed: 4)])
    let file = files.files[0]
    let descriptor = unsafe open(file.path, O_RDONLY)
    defer { close(descriptor) }
    #expect(fsync(descriptor) == 0)
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
    guard try cachedPageCount(descriptor, byteCount: file.byteCount) == 0 else {
      try Test.cancel("this file system keeps its pages")
    }
    let reader = try makeReader(name, files)
    let extents = (0..<20).map {
      FileExtent(fileIndex: 0, offset: $0 * 140_001, byteCount: 130_000)
    }
    let buffer = try PartBuffer(extents, reader.placement)
    try buffer.read(with: reader)
    #expect(buffer.holds(files.contents))
    #expect(try cachedPageCount(descriptor, byteCount: file.byteCount) == 0)
  }

  private func cachedPageCount(_ descriptor: Int32, byteCount: Int) throws -> Int {
    let address = try unsafe #require(
      mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor, 0))
    defer { unsafe munmap(address, byteCount) }
    var pages = [UInt8](repeating: 0, count: (byteCount + 4095) / 4096)
    #expect(unsafe mincore(address, byteCount, &pages) == 0)
    return pages.count { $0 & 1 == 1 }
  }
}
