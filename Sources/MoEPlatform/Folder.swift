#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Folders that the program keeps files in.
package enum Folder {
  /// Makes a folder that only the user can look into, where there is none; its parent must be
  /// there.
  package static func make(_ path: String) { _ = unsafe mkdir(path, 0o700) }

  /// Makes a new folder in another, under a name that nobody can guess; throws the reason.
  package static func makeTemporary(in folder: String) throws(FileError) -> String {
    let name = String(UInt64.random(in: .min ... .max), radix: 36)
    let path = "\(folder)/moe-\(name)"
    guard unsafe mkdir(path, 0o700) == 0 else { throw .system(path: path, code: errno) }
    return path
  }

  /// Makes a folder and those that it is in, as far as they are missing, with the permissions of
  /// every new folder of the user.
  package static func makeAll(_ path: String) throws(FileError) {
    guard !path.isEmpty, !path.utf8.contains(0) else { throw .impossibleName(path: path) }
    if FileStatus(path: path)?.kind == .directory { return }
    if let slash = path.dropFirst().lastIndex(of: "/") { try makeAll(String(path[..<slash])) }
    guard unsafe mkdir(path, 0o777) == 0 || errno == EEXIST else {
      throw .system(path: path, code: errno)
    }
  }

  /// The names in a folder, sorted, at most `countMax` of them; none where it can't be read.
  package static func names(in path: String, countMax: Int = 100_000) -> [String] {
    guard let folder = unsafe opendir(path) else { return [] }
    defer { unsafe closedir(folder) }
    var names: [String] = []
    while names.count < countMax, let entry = unsafe readdir(folder) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
          unsafe String(cString: $0)
        }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Bytes that the file system of a folder has for the user; nil where it does not say.
  package static func freeByteCount(in path: String) -> Int? {
    var status = statvfs()
    guard unsafe statvfs(path, &status) == 0, status.f_blocks > 0 else { return nil }
    let (free, isHuge) = status.f_bavail.multipliedReportingOverflow(by: status.f_frsize)
    return isHuge ? .max : Int(clamping: free)
  }

  /// Removes a folder with the files of these names in it, as far as they are there.
  package static func remove(_ path: String, with names: [String]) {
    for name in names { _ = unsafe unlink("\(path)/\(name)") }
    _ = unsafe rmdir(path)
  }
}
