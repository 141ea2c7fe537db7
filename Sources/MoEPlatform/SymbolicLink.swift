#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Names that lead to other names.
package enum SymbolicLink {
  /// What a link says, as it says it; nil where `path` is no link or the text no UTF-8.
  package static func target(of path: String) -> String? {
    let byteCountMax = Int(PATH_MAX)
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: byteCountMax) { buffer, filledCount in
      filledCount = unsafe buffer.withMemoryRebound(to: CChar.self) { characters in
        guard let base = characters.baseAddress else { return 0 }
        return max(0, unsafe readlink(path, base, byteCountMax))
      }
    }
    guard let target = String(validating: bytes, as: UTF8.self), !target.isEmpty else { return nil }
    return target
  }

  /// Makes a link, or replaces what has its name, so that there is never a moment without one.
  package static func replace(_ path: String, with target: String) throws(FileError) {
    if self.target(of: path) == target { return }
    let name = String(UInt64.random(in: .min ... .max), radix: 36)
    let temporaryPath = "\(path).\(name).tmp"
    guard unsafe symlink(target, temporaryPath) == 0 else {
      throw .system(path: path, code: errno)
    }
    guard unsafe rename(temporaryPath, path) == 0 else {
      let code = errno
      unsafe unlink(temporaryPath)
      throw .system(path: path, code: code)
    }
  }
}
