import Foundation

#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// A copy of the program with libraries of its own, which the kernel holds no part of.
///
/// Whoever first reads a file is charged for the kernel's copy of it. Libraries that other
/// processes use are charged to them; in a fresh container all of them are the program's.
struct ColdProgram {
  private let folder: URL

  init(of program: URL, in folder: URL) throws {
    self.folder = folder
    let maps = try String(contentsOfFile: "/proc/self/maps", encoding: .utf8)
    let paths = maps.split(separator: "\n").compactMap { line in
      line.firstIndex(of: "/").map { String(line[$0...]) }
    }
    // The toolchain's libraries; those of the system are in use everywhere.
    let libraries = Set(paths.filter { $0.contains("/swift/") && $0.hasSuffix(".so") })
    for path in [program.path] + libraries.sorted() {
      let source = URL(filePath: path)
      try FileManager.default.copyItem(
        at: source, to: folder.appending(path: source.lastPathComponent))
    }
  }

  /// The start of a command line, to be followed by the program's arguments.
  func command(_ program: String) -> [String] {
    ["/usr/bin/env", "LD_LIBRARY_PATH=\(folder.path)", folder.appending(path: program).path]
  }

  /// Makes the kernel let go of its copies.
  func drop() throws {
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      let file = try FileHandle(forUpdating: folder.appending(path: name))
      try file.synchronize()
      posix_fadvise(file.fileDescriptor, 0, 0, POSIX_FADV_DONTNEED)
      try file.close()
    }
  }
}
