private import MoEPlatform

/// The user's cache folder for this program: small files that may be deleted at any time.
///
/// Nothing may depend on what is in it: whoever reads a file checks it, and does without where it
/// is missing, damaged or of something else.
struct CacheFolder {
  /// `$XDG_CACHE_HOME/moe-run`, else `~/.cache/moe-run`; nil where neither variable is set.
  let path: String?

  /// - Parameter environment: Variables by name; relative paths do not count, as the XDG base
  ///   directory specification has it.
  init(environment: [String: String]) {
    func absolute(_ name: String) -> String? {
      environment[name].flatMap { $0.hasPrefix("/") ? $0 : nil }
    }
    let base = absolute("XDG_CACHE_HOME") ?? absolute("HOME").map { $0 + "/.cache" }
    path = base.map { $0 + "/moe-run" }
  }

  /// A file named for a kind of contents and a checksum of what they are about.
  func path(of kind: String, about subject: String) -> String? {
    // FNV-1a, 64 bits.
    let checksum = subject.utf8.reduce(UInt64(0xCBF2_9CE4_8422_2325)) {
      ($0 ^ UInt64($1)) &* 0x100_0000_01B3
    }
    return path.map { $0 + "/\(kind)-" + String(checksum, radix: 16) + ".json" }
  }

  /// Writes a file of the folder, and says why it could not; nil where it could.
  func keep(_ text: String, as file: String) -> String? {
    guard let path else { return "not kept: neither XDG_CACHE_HOME nor HOME names a folder" }
    let base = path.split(separator: "/").dropLast().joined(separator: "/")
    for folder in ["/" + base, path] { Folder.make(folder) }
    // Whatever is there is replaced, so that nobody ever reads a part.
    do throws(FileError) {
      try WholeFile.replace(file, with: Array(text.utf8), isPrivate: true)
    } catch {
      return "not kept: \(path) cannot be written to"
    }
    return nil
  }
}
