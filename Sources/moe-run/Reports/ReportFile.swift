#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// A file that a report goes to at the end of a run, checked at its start.
///
/// A regular file is replaced as a whole, so that no reader sees half a report; pipes and devices
/// are written as they are.
struct ReportFile {
  private let path: String
  /// Written first and then renamed; nil where `path` is no regular file.
  private let temporaryPath: String?

  /// Throws where the file could not be written, as far as can be told without writing it.
  ///
  /// - Parameter flag: What the file was given with, for messages.
  init(_ path: String, flag: String) throws(Failure) {
    guard !path.isEmpty else { throw .usage("\(flag) needs the name of a file") }
    var status = stat()
    let exists = unsafe stat(path, &status) == 0
    let kind = status.st_mode & S_IFMT
    if exists && kind == S_IFDIR { throw Self.failure(path, "it is a directory") }
    if exists && kind != S_IFREG {
      self.path = path
      temporaryPath = nil
      guard unsafe access(path, W_OK) == 0 else { throw Self.failure(path, systemMessage(errno)) }
      return
    }
    // A link stays one: what it points to is replaced.
    self.path = exists ? Self.resolved(path) : path
    let temporaryPath = "\(self.path).\(getpid()).tmp"
    self.temporaryPath = temporaryPath
    let descriptor = try Self.create(temporaryPath, for: path)
    close(descriptor)
    unsafe unlink(temporaryPath)
  }

  func write(_ text: String) throws(Failure) {
    let target = temporaryPath ?? path
    let descriptor =
      if let temporaryPath { try Self.create(temporaryPath, for: path) } else {
        unsafe open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY)
      }
    guard descriptor >= 0 else { throw Self.failure(path, systemMessage(errno)) }
    var code = writeAll(text, to: descriptor)
    if close(descriptor) != 0 && code == 0 { code = errno }
    if code == 0, temporaryPath != nil, unsafe rename(target, path) != 0 { code = errno }
    guard code == 0 else {
      if temporaryPath != nil { unsafe unlink(target) }
      throw Self.failure(path, systemMessage(code))
    }
  }

  private static func create(_ temporaryPath: String, for path: String) throws(Failure) -> Int32 {
    let mode: mode_t = 0o666
    let descriptor = unsafe open(temporaryPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
    guard descriptor >= 0 else { throw failure(path, systemMessage(errno)) }
    return descriptor
  }

  private static func failure(_ path: String, _ reason: String) -> Failure {
    .runtime("the report '\(path)' cannot be written: \(reason)")
  }

  private static func resolved(_ path: String) -> String {
    guard let name = unsafe realpath(path, nil) else { return path }
    defer { unsafe free(name) }
    return unsafe String(cString: name)
  }
}
