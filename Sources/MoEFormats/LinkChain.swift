#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif
private import MoEPlatform

/// The names under which one file is known: a path and, where that is a symbolic link, what it
/// points to, and so on.
///
/// Both ends matter. People link to the first of several shards, whose siblings lie beside it;
/// download tools keep files under hashes and give them their names by links.
struct LinkChain {
  /// As many links as the kernel follows.
  private static let lengthMax = 40

  let paths: [String]

  init(path: String) {
    var paths = [path]
    while paths.count <= Self.lengthMax, let target = Self.target(of: paths[paths.count - 1]) {
      paths.append(target)
    }
    self.paths = paths
  }

  static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  /// What a link points to, from where the link's own path starts; nil where `path` is no link.
  private static func target(of path: String) -> String? {
    guard let target = SymbolicLink.target(of: path) else { return nil }
    if target.hasPrefix("/") { return target }
    guard let slash = path.lastIndex(of: "/") else { return target }
    return path[...slash] + target
  }
}
