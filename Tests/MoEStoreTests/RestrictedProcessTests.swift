import Foundation
import MoECore
import MoEStore
import Testing

/// What a process may not do, tried in processes of their own that really may not.
@Suite struct RestrictedProcessTests {
  @Test func fallsBackToThreadsWhereIOUringIsForbidden() async {
    await #expect(processExitsWith: .success) {
      try forbidIOUring()
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

/// Makes `io_uring_setup` fail with EPERM in this process, as container runtimes do.
private func forbidIOUring() throws {
  // Variadic in C, so not imported; with integers only, the calling convention is the same.
  typealias ProcessControl = @convention(c) (Int32, UInt, UInt, UInt, UInt) -> Int32
  let symbol = try unsafe #require(dlsym(dlopen(nil, RTLD_NOW), "prctl"))
  let control = unsafe unsafeBitCast(symbol, to: ProcessControl.self)
  struct Instruction {
    var code: UInt16
    var jumpTrue: UInt8 = 0
    var jumpFalse: UInt8 = 0
    var operand: UInt32
  }
  // Load the call's number; if it is 425, io_uring_setup, answer EPERM, else allow.
  let program = [
    Instruction(code: 0x20, operand: 0),
    Instruction(code: 0x15, jumpFalse: 1, operand: 425),
    Instruction(code: 0x06, operand: 0x0005_0000 | UInt32(EPERM)),
    Instruction(code: 0x06, operand: 0x7FFF_0000),
  ]
  let noNewPrivileges = control(38, 1, 0, 0, 0)
  let filtered = unsafe program.withUnsafeBytes { instructions in
    // struct sock_fprog: a count of 16 bits, then at the pointer's alignment the pointer.
    let header = [UInt(program.count), UInt(bitPattern: instructions.baseAddress)]
    return unsafe header.withUnsafeBytes {
      control(22, 2, UInt(bitPattern: $0.baseAddress), 0, 0)
    }
  }
  try #require(noNewPrivileges == 0 && filtered == 0)
}
