#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// A regular file held open for reading.
///
/// Holding it open makes it harmless when its path is renamed, replaced or unlinked.
package final class InputFile: Sendable {
  package let path: String
  /// Open for as long as this object is there; nobody else closes it.
  package let descriptor: Int32
  /// What the file was when it was opened.
  package let identity: FileIdentity

  /// Refuses what is not a regular file without waiting for it: a pipe would block otherwise.
  package init(_ path: String) throws(FileError) {
    guard !path.isEmpty, !path.utf8.contains(0) else { throw .impossibleName(path: path) }
    let descriptor = unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
    guard descriptor >= 0 else { throw .system(path: path, code: errno) }
    let status: FileStatus
    do throws(FileError) {
      status = try FileStatus(descriptor: descriptor, path: path)
      guard status.kind == .regular else {
        throw .notRegular(path: path, kind: status.kind)
      }
      // With O_NONBLOCK, io_uring would answer EAGAIN where it should wait.
      guard fcntl(descriptor, F_SETFL, 0) == 0 else { throw .system(path: path, code: errno) }
    } catch {
      close(descriptor)
      throw error
    }
    self.path = path
    self.descriptor = descriptor
    identity = status.identity
  }

  deinit { close(descriptor) }

  /// What the file is now.
  package func identityNow() throws(FileError) -> FileIdentity {
    try FileStatus(descriptor: descriptor, path: path).identity
  }

  /// Fills memory from `offset` on and returns how many bytes that were: fewer than there is room
  /// for only where the file ends.
  package func read(
    at offset: Int, into memory: UnsafeMutableRawBufferPointer
  ) throws(FileError) -> Int {
    var done = 0
    while done < memory.count {
      let rest = unsafe memory.baseAddress.map { unsafe $0 + done }
      let count = unsafe pread(descriptor, rest, memory.count - done, off_t(offset + done))
      if count > 0 {
        done += count
      } else if count == 0 {
        break
      } else if errno != EINTR {
        throw .system(path: path, code: errno)
      }
    }
    return done
  }

  /// Up to `count` bytes from `offset` on, fewer only where the file ends.
  package func bytes(at offset: Int, count: Int) throws(FileError) -> [UInt8] {
    var failure: FileError?
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filledCount in
      do throws(FileError) {
        filledCount = try unsafe read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }
}
