#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// A file without a name for what does not fit in memory: nobody else can open it, and nothing is
/// left of it whatever ends the program.
package final class TemporaryFile: Sendable {
  /// The folder that it is in, for messages.
  private let folder: String
  private let descriptor: Int32

  private static let nameCountMax = 100

  package init(inFolder folder: String) throws(FileError) {
    guard !folder.isEmpty, !folder.utf8.contains(0) else { throw .impossibleName(path: folder) }
    self.folder = folder
    // O_TMPFILE, which the C library's module leaves out.
    let nameless = 0o20_000_000 | O_DIRECTORY | O_RDWR | O_CLOEXEC
    var descriptor = unsafe open(folder, nameless, 0o600)
    var code = errno
    for _ in 0..<Self.nameCountMax where descriptor < 0 {
      // A file system without such files: one with a name, which it loses at once.
      let name = "\(folder)/.\(String(UInt64.random(in: .min ... .max), radix: 36)).tmp"
      descriptor = unsafe open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
      code = errno
      if descriptor >= 0 { unsafe unlink(name) }
      guard descriptor < 0, code == EEXIST || code == EINTR else { break }
    }
    guard descriptor >= 0 else { throw .system(path: folder, code: code) }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Throws where the disk has no room for so many bytes more.
  package func checkRoom(for byteCount: Int) throws(FileError) {
    try FileRoom.check(byteCount, descriptor: descriptor, path: folder)
  }

  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileError) {
    var done = 0
    while done < bytes.count, let start = bytes.baseAddress {
      let count = unsafe pwrite(descriptor, start + done, bytes.count - done, off_t(offset + done))
      if count > 0 {
        done += count
      } else if count == 0 || errno != EINTR {
        throw .system(path: folder, code: count == 0 ? ENOSPC : errno)
      }
    }
  }

  /// Fills memory with what was written there.
  package func read(at offset: Int, into memory: UnsafeMutableRawBufferPointer) throws(FileError) {
    var done = 0
    while done < memory.count, let start = memory.baseAddress {
      let count = unsafe pread(
        descriptor, start + done, memory.count - done, off_t(offset + done))
      if count > 0 {
        done += count
      } else if count == 0 || errno != EINTR {
        throw .system(path: folder, code: count == 0 ? EIO : errno)
      }
    }
  }

  /// Has the kernel write these bytes to the disk, and forget those that it has written: what it
  /// holds counts against the program's memory.
  package func flush(_ bytes: Range<Int>) { PageCacheAdvice.drop(bytes, of: descriptor) }
}
