import FoundationEssentials

/// Results of probes on this machine, one small file each in the user's cache folder.
///
/// Nothing depends on it: a file that is missing, damaged or of another request is measured anew,
/// and a folder that cannot be written to is only mentioned.
struct ProbeCache {
  /// What a file holds. The request is kept whole, since file names are made from a checksum of it.
  private struct Entry: Codable {
    var request: ProbeRequest
    var result: ProbeResult
  }

  private let cacheFolder: CacheFolder

  init(environment: [String: String]) { cacheFolder = CacheFolder(environment: environment) }

  var folder: String? { cacheFolder.path }

  func path(for request: ProbeRequest) -> String? {
    Self.encode(request).flatMap { cacheFolder.path(of: "probe", about: $0) }
  }

  /// The result of an equal request; nil where there is none that could be true.
  func result(for request: ProbeRequest) -> ProbeResult? {
    guard let path = path(for: request), let text = SystemFile.read(path),
      let entry = try? JSONDecoder().decode(Entry.self, from: Data(text.utf8)),
      entry.request == request, entry.result.suits(request)
    else { return nil }
    return entry.result
  }

  /// Keeps a result, and says why it could not; nil where it could.
  func store(_ result: ProbeResult, for request: ProbeRequest) -> String? {
    guard let path = path(for: request),
      let text = Self.encode(Entry(request: request, result: result))
    else { return "not kept: neither XDG_CACHE_HOME nor HOME names a folder" }
    return cacheFolder.keep(text, as: path)
  }

  private static func encode(_ value: some Encodable) -> String? {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) }
  }
}
