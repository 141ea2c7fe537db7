internal import MoECore

#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// A model file open for its header.
///
/// Plain buffered reads without read-ahead; what was read is dropped from the page cache when the
/// file is closed, since page cache that a process causes counts against its memory limit.
final class HeaderFile: ByteSource {
  let path: String
  let identity: FileIdentity
  private let descriptor: Int32
  private var readEnd = 0

  /// Refuses what is not a regular file without waiting for it: a pipe would block otherwise.
  init(path: String) throws(GGUFError) {
    let wanted = "a model file"
    guard !path.utf8.contains(0) else {
      throw GGUFError(.unreadable, path: path, wanted: wanted, found: "a zero byte in the path")
    }
    let descriptor = unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
    guard descriptor >= 0 else {
      throw GGUFError(.unreadable, path: path, wanted: wanted, found: systemMessage())
    }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else {
      let message = systemMessage()
      close(descriptor)
      throw GGUFError(.unreadable, path: path, wanted: wanted, found: message)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw GGUFError(
        .notRegularFile, path: path, wanted: wanted, found: Self.kind(status.st_mode))
    }
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_RANDOM)
    self.path = path
    self.descriptor = descriptor
    identity = FileIdentity(
      device: UInt64(status.st_dev), inode: UInt64(status.st_ino), byteCount: Int(status.st_size),
      modifiedNanoseconds: status.st_mtim.tv_sec &* 1_000_000_000 &+ status.st_mtim.tv_nsec)
  }

  var byteCount: Int { identity.byteCount }

  deinit {
    // Only whole pages are dropped; 64 KiB is the largest page in use.
    let largestPage = 64 << 10
    let end = (readEnd + largestPage - 1) / largestPage * largestPage
    posix_fadvise(descriptor, 0, off_t(end), POSIX_FADV_DONTNEED)
    close(descriptor)
  }

  func bytes(at offset: Int, count: Int) throws(GGUFError) -> [UInt8] {
    var failure: String?
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filledCount in
      while filledCount < count {
        let base = unsafe buffer.baseAddress.map { unsafe $0 + filledCount }
        let result = unsafe pread(
          descriptor, base, count - filledCount, off_t(offset + filledCount))
        if result > 0 {
          filledCount += result
        } else if result == 0 {
          break
        } else if errno != EINTR {
          failure = systemMessage()
          break
        }
      }
    }
    readEnd = max(readEnd, offset + bytes.count)
    if let failure {
      throw GGUFError(
        .unreadable, path: path, wanted: "\(count) bytes at byte \(offset)", found: failure)
    }
    return bytes
  }

  private static func kind(_ mode: mode_t) -> String {
    switch mode & S_IFMT {
    case S_IFDIR: "a directory"
    case S_IFIFO: "a pipe"
    default: "a device"
    }
  }
}

/// The text of `errno`.
private func systemMessage() -> String { unsafe String(cString: strerror(errno)) }
