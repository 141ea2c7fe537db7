package import MoEPlatform

#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Why bytes of a model could not be had. Every case names the file and what to do about it.
package enum StoreError: Error, Equatable, Sendable {
  /// A setting out of its range, for example a depth of zero.
  case invalidSetting(name: String, wanted: String, found: String)
  case unknownBackend(name: String, known: [String])
  /// A backend cannot work here.
  case backendUnavailable(name: String, reason: BackendRefusal)
  case cannotOpen(path: String, code: Int32)
  case notARegularFile(path: String, kind: FileKind)
  /// A path that no file can have.
  case impossibleName(path: String)
  /// The file's size is not the one its header was read with.
  case wrongFileSize(path: String, wanted: Int, found: Int)
  /// The file has that size, but is not the one whose header was read.
  case changedSinceItsHeader(path: String, FileChange)
  /// An extent that is not inside its file; `path` is empty where the file's index is wrong too.
  case extentOutsideFile(path: String, offset: Int, byteCount: Int, fileByteCount: Int)
  /// More reads asked for at once than the reader was made for.
  case backlogFull(limit: Int, of: String)
  /// The file ended before the bytes that were wanted.
  case fileTruncated(path: String, offset: Int, byteCount: Int)
  case readFailed(path: String, offset: Int, byteCount: Int, code: Int32)
  /// The same transient error (or no progress) more often than the reader tries.
  case retriesExhausted(path: String, offset: Int, byteCount: Int, code: Int32, count: Int)
  case fileChanged(path: String, FileChange)
  /// The backend itself failed, not one read. It reads no more: what is under way in it is unknown.
  case backendFailed(name: String, code: Int32)
}

extension StoreError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .invalidSetting(let name, let wanted, let found):
      return "\(name) must be \(wanted), but is \(found)"
    case .unknownBackend(let name, let known):
      return "no store backend is called '\(name)'; there are: \(known.joined(separator: ", "))"
    case .backendUnavailable(let name, let reason):
      return "the store backend '\(name)' cannot be used here: \(reason);"
        + " choose another or 'automatic'"
    case .cannotOpen(let path, let code):
      return "\(path): cannot open: \(systemMessage(code))\(Self.adviceOnOpening(code))"
    case .notARegularFile(let path, let kind):
      return "\(path): is \(kind.text), not a file; give the path of the model file itself"
    case .impossibleName(let path):
      return "'\(path)' cannot be the path of a file; give the path of the model file itself"
    case .wrongFileSize(let path, let wanted, let found):
      return "\(path): has \(found) bytes, but \(wanted) when its header was read;"
        + " let the download or copy finish and start again"
    case .changedSinceItsHeader(let path, let change):
      return "\(path): \(change.text) since its header was read; let the download or copy finish"
        + " and start again"
    case .extentOutsideFile(let path, let offset, let byteCount, let fileByteCount):
      return "\(path): wanted \(byteCount) bytes at offset \(offset), but the file has"
        + " \(fileByteCount); the file is damaged or incomplete, fetch it again"
    case .backlogFull(let limit, let what):
      return "more than \(limit) \(what) at once; take completed reads before submitting more"
    case .fileTruncated(let path, let offset, let byteCount):
      return "\(path): the file was truncated while running: it ends before the \(byteCount) bytes"
        + " wanted at offset \(offset); restore the file and start again"
    case .readFailed(let path, let offset, let byteCount, let code):
      return "\(path): reading \(byteCount) bytes at offset \(offset) failed: "
        + systemMessage(code) + Self.adviceOnReading(code)
    case .retriesExhausted(let path, let offset, let byteCount, let code, let count):
      let reason = code == 0 ? "the reads made no progress" : systemMessage(code)
      return "\(path): reading \(byteCount) bytes at offset \(offset) failed \(count) times: "
        + "\(reason); check the disk and the system's log, then start again"
    case .fileChanged(let path, let change):
      return
        "\(path): the file changed while running (\(change.text)); what was read can no longer be"
        + " trusted, start again"
    case .backendFailed(let name, let code):
      return "the store backend '\(name)' failed: \(systemMessage(code)); start again, with another"
        + " backend if it happens again"
    }
  }

  private static func adviceOnOpening(_ code: Int32) -> String {
    switch code {
    case ENOENT: "; check the path"
    case EACCES, EPERM: "; make the file readable for this user"
    case EMFILE, ENFILE: "; raise the limit of open files (ulimit -n)"
    default: ""
    }
  }

  private static func adviceOnReading(_ code: Int32) -> String {
    switch code {
    case EIO: "; the disk or its connection is at fault, check the system's log"
    case EINVAL, EOPNOTSUPP: "; the file system may not do direct reads, try the backend 'buffered'"
    case ENOMEM: "; the system is short of memory, close other programs"
    default: "; check the disk and start again"
    }
  }
}
