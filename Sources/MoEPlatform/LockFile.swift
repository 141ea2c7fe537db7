#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// A file that stands for something that one program may do at a time: held by `flock(2)` until
/// this object goes or the program ends, however it ends.
package final class LockFile: Sendable {
  private let descriptor: Int32

  /// Nil where another program holds it.
  package static func take(_ path: String) throws(FileError) -> LockFile? {
    // Who releases one may remove it between opening and locking.
    for _ in 0..<100 {
      let flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK
      let descriptor = unsafe open(path, flags, 0o644)
      guard descriptor >= 0 else { throw .system(path: path, code: errno) }
      let file = LockFile(descriptor: descriptor)
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        if errno == EWOULDBLOCK { return nil }
        throw .system(path: path, code: errno)
      }
      let identity = try FileStatus(descriptor: descriptor, path: path).identity
      let named = FileStatus(path: path)?.identity
      if named?.inode == identity.inode, named?.device == identity.device { return file }
    }
    return nil
  }

  private init(descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }
}
