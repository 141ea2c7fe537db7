import FoundationEssentials
private import MoEPlatform

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

  private let folder: CacheFolder
  /// Of the names of files.
  private let prefix: String

  /// - Parameters:
  ///   - prefix: What the names of files begin with.
  ///   - environment: Variables by name.
  package init(prefix: String, environment: [String: String]) {
    self.prefix = prefix
    folder = CacheFolder(environment: environment)
  }

  package func path(for request: Request) -> String? {
    Self.encode(request).flatMap { folder.path(of: prefix, about: $0) }
  }

  /// The result of an equal request; nil where there is none that could be true.
  package func result(for request: Request) -> Outcome? {
    guard let path = path(for: request), let text = KernelFile.text(path),
      let entry = try? JSONDecoder().decode(Entry.self, from: Data(text.utf8)),
      entry.request == request
    else { return nil }
    return entry.result
  }

  /// Keeps a result, and says why it could not; nil where it could.
  package func store(_ result: Outcome, for request: Request) -> String? {
    guard let path = path(for: request),
      let text = Self.encode(Entry(request: request, result: result))
    else { return "not kept: neither XDG_CACHE_HOME nor HOME names a folder" }
    return folder.keep(text, as: path)
  }

  private static func encode(_ value: some Encodable) -> String? {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) }
  }
}
