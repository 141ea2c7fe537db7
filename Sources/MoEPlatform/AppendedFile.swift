#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// A file that grows at its end and stays as it is, whatever ends the program. Other programs that
/// would append to it are kept out.
package final class AppendedFile: Sendable {
  package let path: String
  /// What the file was when it was opened.
  package let identity: FileIdentity
  private let descriptor: Int32

  /// Opens what is there, or makes a new file. Nil where another program appends to it.
  package static func open(_ path: String) throws(FileError) -> AppendedFile? {
    guard !path.isEmpty, !path.utf8.contains(0) else { throw .impossibleName(path: path) }
    let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
    let descriptor = unsafe Glibc.open(path, flags, 0o666)
    guard descriptor >= 0 else { throw .system(path: path, code: errno) }
    do throws(FileError) {
      let status = try FileStatus(descriptor: descriptor, path: path)
      guard status.kind == .regular else { throw .notRegular(path: path, kind: status.kind) }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        guard errno == EWOULDBLOCK else { throw .system(path: path, code: errno) }
        close(descriptor)
        return nil
      }
      return AppendedFile(path: path, identity: status.identity, descriptor: descriptor)
    } catch {
      close(descriptor)
      throw error
    }
  }

  private init(path: String, identity: FileIdentity, descriptor: Int32) {
    self.path = path
    self.identity = identity
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  package func byteCount() throws(FileError) -> Int {
    try FileStatus(descriptor: descriptor, path: path).identity.byteCount
  }

  /// Up to `count` bytes from `offset` on, fewer only where the file ends.
  package func bytes(at offset: Int, count: Int) throws(FileError) -> [UInt8] {
    var (code, failed): (Int32, Bool) = (0, false)
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filledCount in
      while filledCount < count {
        let found = unsafe pread(
          descriptor, buffer.baseAddress.map { unsafe $0 + filledCount }, count - filledCount,
          off_t(offset + filledCount))
        if found > 0 {
          filledCount += found
        } else if found == 0 {
          break
        } else if errno != EINTR {
          (code, failed) = (errno, true)
          break
        }
      }
    }
    if failed { throw .system(path: path, code: code) }
    return bytes
  }

  /// Puts bytes at the end. Where that fails the file is as long as before.
  package func append(_ bytes: [UInt8]) throws(FileError) {
    let end = try byteCount()
    guard lseek(descriptor, off_t(end), SEEK_SET) >= 0 else {
      throw .system(path: path, code: errno)
    }
    let code = FileWriting.writeAll(bytes.span, to: descriptor)
    guard code != 0 else { return }
    _ = ftruncate(descriptor, off_t(end))
    throw .system(path: path, code: code)
  }

  /// Takes back what is there from `byteCount` on.
  package func truncate(to byteCount: Int) throws(FileError) {
    guard ftruncate(descriptor, off_t(byteCount)) == 0 else {
      throw .system(path: path, code: errno)
    }
  }

  /// Returns once all that was written is on the disk.
  package func synchronize() throws(FileError) {
    // Some file systems have no such call; then there is nothing to wait for.
    guard fsync(descriptor) == 0 || errno == EINVAL || errno == ENOSYS else {
      throw .system(path: path, code: errno)
    }
  }
}
