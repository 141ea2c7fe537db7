#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// What tells one file, in one state, from every other: its place on the machine, its size and the
/// time of its last change.
///
/// The time of the last status change is left out on purpose: renaming or unlinking the path moves
/// it, and that does no harm to a file that is held open.
package struct FileIdentity: Hashable, Sendable {
  package var device: UInt64
  package var inode: UInt64
  package var byteCount: Int
  /// When its content was last changed, in nanoseconds since 1970.
  package var modifiedNanoseconds: Int

  package init(
    device: UInt64 = 0, inode: UInt64 = 0, byteCount: Int, modifiedNanoseconds: Int = 0
  ) {
    self.device = device
    self.inode = inode
    self.byteCount = byteCount
    self.modifiedNanoseconds = modifiedNanoseconds
  }

  /// How a file differs from what it was; nil where it does not.
  package func change(to now: FileIdentity) -> FileChange? {
    if (device, inode) != (now.device, now.inode) { return .replaced }
    if byteCount != now.byteCount { return .resized(from: byteCount, to: now.byteCount) }
    return self == now ? nil : .modified
  }
}

/// What happened to a file between two looks at it.
package enum FileChange: Hashable, Sendable {
  /// Another file has its path.
  case replaced
  case resized(from: Int, to: Int)
  /// Its modification time moved.
  case modified

  package var text: String {
    switch self {
    case .replaced: "another file has taken its place"
    case .resized(let before, let now): "it had \(before) bytes and has \(now)"
    case .modified: "its modification time moved"
    }
  }
}

/// What the system says of a file.
package struct FileStatus: Hashable, Sendable {
  package let kind: FileKind
  package let identity: FileIdentity
  /// Who may read and write it, as the lower nine bits of its mode.
  package let permissions: UInt32

  /// Of the file that a path leads to, through links; nil where there is none to be seen.
  package init?(path: String) {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return nil }
    self.init(status)
  }

  /// Of an open file. Throws the `errno` value.
  package init(descriptor: Int32, path: String) throws(FileError) {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw .system(path: path, code: errno) }
    self.init(status)
  }

  private init(_ status: stat) {
    kind =
      switch status.st_mode & S_IFMT {
      case S_IFREG: .regular
      case S_IFDIR: .directory
      case S_IFIFO: .pipe
      case S_IFSOCK: .socket
      case S_IFBLK, S_IFCHR: .device
      default: .other
      }
    identity = FileIdentity(
      device: UInt64(status.st_dev), inode: UInt64(status.st_ino), byteCount: Int(status.st_size),
      modifiedNanoseconds: status.st_mtim.tv_sec &* 1_000_000_000 &+ status.st_mtim.tv_nsec)
    permissions = UInt32(status.st_mode) & 0o777
  }
}
