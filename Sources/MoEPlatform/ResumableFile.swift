#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// A large file that is written beside its place, under its name with a suffix, and takes its place
/// when all of it is there. What is interrupted is still there for the next to go on with; two
/// programs never write the same one.
package final class ResumableFile: Sendable {
  /// The place.
  package let path: String
  /// Where it is until then.
  package let partialPath: String
  private let descriptor: Int32

  /// Opens what an earlier run left, or makes a new one. Nil where another program writes it.
  package static func open(
    _ path: String, suffix: String = ".part"
  ) throws(FileError) -> ResumableFile? {
    // Checks what can be in the way of the place itself.
    try ReplacementFile.check(path)
    let partialPath = path + suffix
    // Another may put the file in its place between opening and locking.
    for _ in 0..<100 {
      let flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK
      let descriptor = Self.openFile(partialPath, flags)
      guard descriptor >= 0 else { throw .system(path: partialPath, code: errno) }
      let file = ResumableFile(path: path, partialPath: partialPath, descriptor: descriptor)
      let status = try FileStatus(descriptor: descriptor, path: partialPath)
      guard status.kind == .regular else {
        throw .notRegular(path: partialPath, kind: status.kind)
      }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        if errno == EWOULDBLOCK { return nil }
        throw .system(path: partialPath, code: errno)
      }
      let named = FileStatus(path: partialPath)?.identity
      if named?.inode == status.identity.inode, named?.device == status.identity.device {
        return file
      }
    }
    return nil
  }

  private static func openFile(_ path: String, _ flags: Int32) -> Int32 {
    unsafe Glibc.open(path, flags, 0o600)
  }

  private init(path: String, partialPath: String, descriptor: Int32) {
    self.path = path
    self.partialPath = partialPath
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  package func byteCount() throws(FileError) -> Int {
    try FileStatus(descriptor: descriptor, path: partialPath).identity.byteCount
  }

  /// Throws where the disk has no room for so many bytes more.
  package func checkRoom(for byteCount: Int) throws(FileError) {
    try FileRoom.check(byteCount, descriptor: descriptor, path: partialPath)
  }

  /// Up to `count` bytes, fewer where the file ends.
  package func bytes(at offset: Int, count: Int) throws(FileError) -> [UInt8] {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
    defer { unsafe memory.deallocate() }
    let done = try unsafe read(at: offset, into: memory)
    return unsafe Array(memory.prefix(done))
  }

  /// Fills memory from `offset` on; returns how many bytes there were.
  package func read(
    at offset: Int, into memory: UnsafeMutableRawBufferPointer
  ) throws(FileError) -> Int {
    var done = 0
    while done < memory.count, let start = memory.baseAddress {
      let count = unsafe pread(
        descriptor, start + done, memory.count - done, off_t(offset + done))
      if count > 0 {
        done += count
      } else if count == 0 {
        break
      } else if errno != EINTR {
        throw .system(path: partialPath, code: errno)
      }
    }
    return done
  }

  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileError) {
    let code = unsafe FileWriting.writeAll(bytes, to: descriptor, at: offset)
    guard code == 0 else { throw .system(path: partialPath, code: code) }
  }

  package func write(_ bytes: [UInt8], at offset: Int) throws(FileError) {
    var failure: FileError?
    unsafe bytes.withUnsafeBytes { bytes in
      do throws(FileError) {
        try unsafe write(bytes, at: offset)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
  }

  /// Lets the kernel begin to write these bytes to the disk, and forget those before, which it has
  /// written meanwhile: what it holds counts against the program's memory.
  package func flush(_ bytes: Range<Int>, behind earlier: Range<Int>) {
    PageCacheAdvice.drop(bytes, of: descriptor)
    PageCacheAdvice.drop(earlier, of: descriptor)
  }

  package func truncate(to byteCount: Int) throws(FileError) {
    guard ftruncate(descriptor, off_t(byteCount)) == 0 else {
      throw .system(path: partialPath, code: errno)
    }
  }

  /// Puts the file in its place once all of it is on the disk.
  package func commit() throws(FileError) {
    let permissions = 0o666 & ~FileMask.ofUser()
    guard fchmod(descriptor, mode_t(permissions)) == 0, fsync(descriptor) == 0,
      unsafe rename(partialPath, path) == 0
    else { throw .system(path: path, code: errno) }
  }
}
