import FoundationEssentials

#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Results of measurements on this machine, one small file each in the user's cache folder.
///
/// Nothing depends on it: a file that is missing, damaged or of another request is measured anew,
/// and a folder that cannot be written to is only mentioned.
package struct ResultCache<Request: Codable & Equatable, Outcome: Codable> {
  /// What a file holds. The request is kept whole, since file names are made from a checksum of it.
  private struct Entry: Codable {
    var request: Request
    var result: Outcome
  }

  /// `$XDG_CACHE_HOME/moe-run`, else `~/.cache/moe-run`; nil where neither variable is set.
  private let folder: String?
  /// Of the names of files.
  private let prefix: String

  /// - Parameters:
  ///   - prefix: What the names of files begin with.
  ///   - environment: Variables by name; relative paths do not count, as the XDG base directory
  ///     specification has it.
  package init(prefix: String, environment: [String: String]) {
    self.prefix = prefix
    func absolute(_ name: String) -> String? {
      environment[name].flatMap { $0.hasPrefix("/") ? $0 : nil }
    }
    let base = absolute("XDG_CACHE_HOME") ?? absolute("HOME").map { $0 + "/.cache" }
    folder = base.map { $0 + "/moe-run" }
  }

  package func path(for request: Request) -> String? {
    guard let folder, let text = Self.encode(request) else { return nil }
    // FNV-1a, 64 bits.
    let checksum = text.utf8.reduce(UInt64(0xCBF2_9CE4_8422_2325)) {
      ($0 ^ UInt64($1)) &* 0x100_0000_01B3
    }
    return folder + "/\(prefix)-" + String(checksum, radix: 16) + ".json"
  }

  /// The result of an equal request; nil where there is none that could be true.
  package func result(for request: Request) -> Outcome? {
    guard let path = path(for: request), let text = SystemFile.read(path),
      let entry = try? JSONDecoder().decode(Entry.self, from: Data(text.utf8)),
      entry.request == request
    else { return nil }
    return entry.result
  }

  /// Keeps a result, and says why it could not; nil where it could.
  package func store(_ result: Outcome, for request: Request) -> String? {
    guard let folder, let path = path(for: request),
      let text = Self.encode(Entry(request: request, result: result))
    else { return "not kept: neither XDG_CACHE_HOME nor HOME names a folder" }
    let base = folder.split(separator: "/").dropLast().joined(separator: "/")
    for directory in ["/" + base, folder] { _ = unsafe mkdir(directory, 0o700) }
    // Written beside it and renamed, so that nobody ever reads a part.
    let draft = path + ".\(getpid())"
    let descriptor = unsafe open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return "not kept: \(folder) cannot be written to" }
    let bytes = Array(text.utf8)
    let count = unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
    close(descriptor)
    guard count == bytes.count, unsafe rename(draft, path) == 0 else {
      unsafe unlink(draft)
      return "not kept: \(folder) cannot be written to"
    }
    return nil
  }

  private static func encode(_ value: some Encodable) -> String? {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) }
  }
}
