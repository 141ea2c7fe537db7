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

  /// Removes a folder with the files of these names in it, as far as they are there.
  package static func remove(_ path: String, with names: [String]) {
    for name in names { _ = unsafe unlink("\(path)/\(name)") }
    _ = unsafe rmdir(path)
  }
}
