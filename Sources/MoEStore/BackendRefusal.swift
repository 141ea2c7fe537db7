private import MoECore
private import MoEPlatform

#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Why a backend cannot read a model's files here: what was tried, on which file, and the `errno`
/// value that the system answered with, where it gave one.
package enum BackendRefusal: Hashable, Sendable {
  /// No ring could be made.
  case ring(code: Int32)
  case threads(code: Int32)
  /// The file system does not know of direct reads.
  case noDirectReads(path: String, code: Int32)
  /// The kernel says that this file has none, for example because it is encrypted.
  case fileHasNoDirectReads(path: String)
  case directReadFailed(path: String, code: Int32)
  case directReadGaveNothing(path: String)
  /// The file system takes direct reads and makes them buffered ones, as for compressed files.
  case directReadsAreBuffered(path: String)
  /// What the kernel told makes no sense or is more than memory was planned for.
  case alignment(path: String, memory: Int, offset: Int)
  /// A backend as a whole wants more than memory was planned for.
  case alignmentTooLarge(Int)
  /// Not one of the backends that were tried works: their names and reasons.
  case noneWorks([SkippedBackend])
}

/// A backend that was tried and not taken.
package struct SkippedBackend: Hashable, Sendable {
  package let name: String
  package let reason: BackendRefusal

  package init(name: String, reason: BackendRefusal) {
    self.name = name
    self.reason = reason
  }
}

extension SkippedBackend: CustomStringConvertible {
  package var description: String { "\(name) not taken: \(reason)" }
}

extension BackendRefusal: CustomStringConvertible {
  package var description: String {
    let most = ReadPlacement.alignmentMax
    switch self {
    case .ring(let code): return "io_uring: \(systemMessage(code))\(Self.ringAdvice(code))"
    case .threads(let code): return "cannot start a thread: \(systemMessage(code))"
    case .noDirectReads(let path, let code):
      return "\(path): the file system has no direct reads: \(systemMessage(code))"
    case .fileHasNoDirectReads(let path):
      return "\(path): the kernel says that the file has no direct reads"
    case .directReadFailed(let path, let code):
      return "\(path): a direct read failed: \(systemMessage(code))"
    case .directReadGaveNothing(let path): return "\(path): a direct read gave nothing"
    case .directReadsAreBuffered(let path):
      return "\(path): the file system takes direct reads but goes through the page cache"
    case .alignment(let path, let memory, let offset):
      return
        "\(path): direct reads want an alignment of \(memory) in memory, \(offset) in the file;"
        + " memory is planned for \(most)"
    case .alignmentTooLarge(let alignment):
      return "reads want an alignment of \(alignment); memory is planned for \(most)"
    case .noneWorks(let skipped): return skipped.map(\.description).joined(separator: "; ")
    }
  }

  private static func ringAdvice(_ code: Int32) -> String {
    switch code {
    case EPERM: " (forbidden here: seccomp of a container, or kernel.io_uring_disabled)"
    case ENOSYS: " (this kernel has none)"
    case ENOMEM: " (the limit of locked memory, ulimit -l, may be too low)"
    default: ""
    }
  }
}
