import Foundation
import MoECore
import MoEStore
import MoETestSupport
import Testing

/// What a process may not do, tried in processes of their own that really may not.
@Suite struct RestrictedProcessTests {
  @Test func fallsBackToThreadsWhereIOUringIsForbidden() async {
    await #expect(processExitsWith: .success) {
      try SystemCallFilter.fail(.ioUringSetup, with: EPERM)
      let files = try TemporaryFiles([patternedBytes(count: 200_000, seed: 1)])
      #expect(throws: StoreError.self) {
        _ = try ExtentReader(files: files.files, backend: .named("ring"))
      }
      let reader = try ExtentReader(files: files.files)
      try #require(!reader.report.hasPrefix("ring"))
      try #require(
        reader.report.contains("ring not taken: io_uring: Operation not permitted (forbidden"))
      let buffer = try PartBuffer(
        [FileExtent(fileIndex: 0, offset: 1, byteCount: 199_999)], reader.placement)
      try buffer.read(with: reader)
      try #require(buffer.holds(files.contents))
    }
  }

  @Test func goesOnWithoutRegisteredBuffersWhereMemoryMayNotBeLocked() async throws {
    guard try ringWorks() else { try Test.cancel("no io_uring here") }
    await #expect(processExitsWith: .success) {
      let files = try TemporaryFiles([patternedBytes(count: 200_000, seed: 1)])
      // Enough for the ring's own queues, which newer kernels count, but not for the buffer.
      var little = rlimit(rlim_cur: 64 << 10, rlim_max: 64 << 10)
      try #require(unsafe setrlimit(__rlimit_resource_t(8), &little) == 0)  // RLIMIT_MEMLOCK
      // The superuser may lock without limit.
      let user = geteuid()
      if user == 0 { try #require(seteuid(65534) == 0) }
      defer { if user == 0 { seteuid(0) } }
      let reader = try ExtentReader(files: files.files, backend: .named("ring"))
      let buffer = try PartBuffer(
        [FileExtent(fileIndex: 0, offset: 1, byteCount: 199_999)], reader.placement)
      reader.registerBuffers([buffer.memory.bytes(count: buffer.memory.byteCount)])
      try #require(reader.report.contains("buffers not registered: Cannot allocate memory"))
      try buffer.read(with: reader)
      try #require(buffer.holds(files.contents))
    }
  }

  @Test func tellsWhenTheLimitOfOpenFilesIsTooLow() async {
    await #expect(processExitsWith: .success) {
      let files = try TemporaryFiles((0..<60).map { [UInt8($0)] })
      var few = rlimit(rlim_cur: 40, rlim_max: 40)
      try #require(unsafe setrlimit(__rlimit_resource_t(7), &few) == 0)  // RLIMIT_NOFILE
      // More often than there are descriptors: a failed attempt leaves none open.
      for _ in 0..<50 {
        let error = #expect(throws: StoreError.self) { _ = try ExtentReader(files: files.files) }
        guard case .cannotOpen(_, EMFILE) = error else { exit(3) }
        try #require(error?.description.contains("ulimit -n") == true)
      }
      let reader = try ExtentReader(files: Array(files.files.prefix(5)))
      try #require(reader.failure == nil)
    }
  }

  @Test func tellsWhenAFileMayNotBeRead() async {
    await #expect(processExitsWith: .success) {
      let files = try TemporaryFiles([[1, 2, 3]])
      let path = files.files[0].path
      try #require(unsafe chmod(path, 0) == 0)
      let user = geteuid()
      if user == 0 { try #require(seteuid(65534) == 0) }
      defer { if user == 0 { seteuid(0) } }
      let expected = StoreError.cannotOpen(path: path, code: EACCES)
      #expect(throws: expected) { _ = try ExtentReader(files: files.files) }
      try #require(expected.description.contains("Permission denied; make the file readable"))
    }
  }
}

private func ringWorks() throws -> Bool {
  let files = try TemporaryFiles([[1]])
  return (try? ExtentReader(files: files.files, backend: .named("ring"))) != nil
}
