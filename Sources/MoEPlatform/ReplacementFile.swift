#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif
private import Synchronization

/// A file that is written beside its place and then takes that place, so that nobody ever reads a
/// part of it, and what was there stays until all of it is there.
///
/// Until then it has no name where the file system allows that, so that nothing is left of it
/// whatever ends the program. Elsewhere its name is random and must not be taken, and no link is
/// followed to it: neither another run of the program nor anyone who may write to the folder can
/// make it write elsewhere. Until it takes its place, nobody but the user can read it.
package final class ReplacementFile: Sendable {
  /// The place: where the path that was given is a link, what that points to.
  package let path: String
  /// Nil while it has no name.
  private let temporaryPath: String?
  private let descriptor: Int32
  private let permissions: UInt32
  private let isOpen = Atomic(true)

  /// Names that were tried before giving up: one is enough unless someone guesses them.
  private static let nameCountMax = 100

  /// - Parameters:
  ///   - isPrivate: Whether nobody but the user shall ever read it. Else it keeps the permissions
  ///     of the file it replaces, or gets those of every new file of the user.
  ///   - hasName: Whether it has a name from the beginning, as where the file system wants one.
  package init(
    _ path: String, isPrivate: Bool = false, hasName: Bool = false
  ) throws(FileError) {
    guard !path.isEmpty, !path.utf8.contains(0) else { throw .impossibleName(path: path) }
    let status = FileStatus(path: path)
    if let kind = status?.kind, kind != .regular { throw .notRegular(path: path, kind: kind) }
    self.path = status == nil ? path : Self.resolved(path)
    if !hasName, let descriptor = Self.createWithoutName(besides: self.path) {
      (temporaryPath, self.descriptor) = (nil, descriptor)
    } else {
      (temporaryPath, descriptor) = try Self.create(besides: self.path)
    }
    permissions = isPrivate ? 0o600 : status?.permissions ?? (0o666 & ~FileMask.ofUser())
  }

  deinit { discard() }

  /// Throws where `path` cannot be written, as far as can be told without writing it.
  package static func check(_ path: String) throws(FileError) {
    try ReplacementFile(path).discard()
  }

  /// Throws where the disk has no room for so many bytes: before the work and not after it.
  package func checkRoom(for byteCount: Int) throws(FileError) {
    try FileRoom.check(byteCount, descriptor: descriptor, path: path)
  }

  package func write(_ bytes: Span<UInt8>) throws(FileError) {
    try check(FileWriting.writeAll(bytes, to: descriptor))
  }

  /// The same for memory of any kind.
  package func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    try check(unsafe FileWriting.writeAll(bytes, to: descriptor))
  }

  /// Writes bytes to a place of their own, whatever was written before.
  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileError) {
    try check(unsafe FileWriting.writeAll(bytes, to: descriptor, at: offset))
  }

  /// Lets the kernel begin to write to the disk what it holds of the file, and forget what it has
  /// written: what it holds counts against the program's memory.
  package func flush(byteCount: Int) { PageCacheAdvice.drop(0..<byteCount, of: descriptor) }

  private func check(_ code: Int32) throws(FileError) {
    guard code == 0 else { throw .system(path: path, code: code) }
  }

  /// Takes back what was written from `byteCount` on; writing goes on there.
  package func truncate(to byteCount: Int) throws(FileError) {
    guard ftruncate(descriptor, off_t(byteCount)) == 0,
      lseek(descriptor, off_t(byteCount), SEEK_SET) >= 0
    else { throw .system(path: path, code: errno) }
  }

  /// Puts the file in its place once all of it is on the disk. What was there is gone then; where
  /// this throws, it is still there.
  package func commit() throws(FileError) {
    guard isOpen.exchange(false, ordering: .relaxed) else { return }
    var code: Int32 = 0
    if fchmod(descriptor, mode_t(permissions)) != 0 { code = errno }
    // Some file systems have no such call; then there is nothing to wait for.
    if code == 0, fsync(descriptor) != 0, errno != EINVAL, errno != ENOSYS { code = errno }
    let temporaryPath: String
    do throws(FileError) {
      if let name = self.temporaryPath { temporaryPath = name } else { temporaryPath = try name() }
    } catch {
      close(descriptor)
      throw error
    }
    if close(descriptor) != 0 && code == 0 { code = errno }
    if code == 0, unsafe rename(temporaryPath, path) != 0 { code = errno }
    guard code != 0 else { return }
    unsafe unlink(temporaryPath)
    throw .system(path: path, code: code)
  }

  /// Gives a file without a name one: a file can be renamed over another, but not linked.
  private func name() throws(FileError) -> String {
    let (temporaryPath, _) = try Self.withRandomName(besides: path) { name in
      unsafe linkat(AT_FDCWD, Self.link(to: descriptor), AT_FDCWD, name, AT_SYMLINK_FOLLOW)
    }
    return temporaryPath
  }

  /// Removes what was written; the place stays as it was.
  package func discard() {
    guard isOpen.exchange(false, ordering: .relaxed) else { return }
    close(descriptor)
    if let temporaryPath { unsafe unlink(temporaryPath) }
  }

  /// Nil where the file system has no files without a name, or none could get its name later.
  private static func createWithoutName(besides path: String) -> Int32? {
    // O_TMPFILE, which the C library's module leaves out.
    let flags = 0o20_000_000 | O_DIRECTORY | O_WRONLY | O_CLOEXEC
    let folder = folder(of: path)
    let descriptor = unsafe open(folder.isEmpty ? "." : folder, flags, 0o600)
    guard descriptor >= 0 else { return nil }
    guard unsafe access(link(to: descriptor), F_OK) == 0 else {
      close(descriptor)
      return nil
    }
    return descriptor
  }

  private static func link(to descriptor: Int32) -> String { "/proc/self/fd/\(descriptor)" }

  /// With the slash at its end; empty for names alone.
  private static func folder(of path: String) -> String {
    path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
  }

  private static func create(
    besides path: String
  ) throws(FileError) -> (temporaryPath: String, result: Int32) {
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    return try withRandomName(besides: path) { unsafe open($0, flags, 0o600) }
  }

  /// Makes a file of a name that is not taken; what makes it returns a negative number otherwise.
  private static func withRandomName(
    besides path: String, _ make: (String) -> Int32
  ) throws(FileError) -> (temporaryPath: String, result: Int32) {
    let folder = folder(of: path)
    var code: Int32 = 0
    for _ in 0..<nameCountMax {
      // Not made of the file's name, which may be as long as names can be.
      let name = String(UInt64.random(in: .min ... .max), radix: 36)
      let temporaryPath = "\(folder).\(name).tmp"
      let result = make(temporaryPath)
      if result >= 0 { return (temporaryPath, result) }
      code = errno
      guard code == EEXIST || code == EINTR else { break }
    }
    throw .system(path: path, code: code)
  }

  private static func resolved(_ path: String) -> String {
    guard let name = unsafe realpath(path, nil) else { return path }
    defer { unsafe free(name) }
    return unsafe String(cString: name)
  }
}

/// Room on the disk that a file is on.
enum FileRoom {
  /// Throws where there is none for so many bytes.
  static func check(_ byteCount: Int, descriptor: Int32, path: String) throws(FileError) {
    var status = statvfs()
    // What a file system doesn't tell shows in the end.
    guard unsafe fstatvfs(descriptor, &status) == 0, status.f_blocks > 0 else { return }
    let (free, isHuge) = status.f_bavail.multipliedReportingOverflow(by: status.f_frsize)
    guard isHuge || free >= byteCount else { throw .system(path: path, code: ENOSPC) }
  }
}

enum FileMask {
  /// The permissions that the user's new files don't get. The system call that tells them also sets
  /// them, for all threads, so the kernel's file is asked; where it can't be read, only the user
  /// gets any.
  static func ofUser() -> UInt32 {
    let line = (KernelFile.text("/proc/self/status") ?? "").split(separator: "\n")
      .first { $0.hasPrefix("Umask:") }
    let digits = line?.split(whereSeparator: \.isWhitespace).last ?? ""
    return UInt32(digits, radix: 8) ?? 0o077
  }
}
