import FoundationEssentials
import MoECore
import MoEExperts
import MoEModel
import MoEStore
private import MoEPlatform

/// Remembers from run to run which experts of a model were used most: a small file for each model
/// in the user's cache folder, safe to delete.
struct WarmStart {
  /// What a file is about; only a file about the very same is used.
  private struct Subject: Codable, Equatable {
    /// Counts up with every change of the format.
    var version = 1
    var path: String
    var byteCount: Int
    /// (layer)
    var expertCounts: [Int]
  }

  private struct Entry: Codable {
    var subject: Subject
    /// Layer and index of one expert after the other, most uses first.
    var experts: [Int]
  }

  private let folder: CacheFolder
  private let subject: Subject

  init(_ header: LoadedHeader, environment: [String: String]) {
    self.init(
      path: header.files[0].path, byteCount: header.byteCount,
      expertCounts: header.tensors.experts.layers.map(\.expertCount), environment: environment)
  }

  init(path: String, byteCount: Int, expertCounts: [Int], environment: [String: String]) {
    folder = CacheFolder(environment: environment)
    subject = Subject(path: path, byteCount: byteCount, expertCounts: expertCounts)
  }

  var file: String? { Self.encode(subject).flatMap { folder.path(of: "experts", about: $0) } }

  /// The experts of the last run, most uses first; none where nothing that could be true is kept.
  func experts() -> [ExpertID] {
    guard let file, let text = KernelFile.text(file),
      let entry = try? JSONDecoder().decode(Entry.self, from: Data(text.utf8)),
      entry.subject == subject, entry.experts.count % 2 == 0
    else { return [] }
    let experts = stride(from: 0, to: entry.experts.count, by: 2).map {
      ExpertID(layer: entry.experts[$0], index: entry.experts[$0 + 1])
    }
    let counts = subject.expertCounts
    let isPossible = experts.allSatisfy {
      counts.indices.contains($0.layer) && $0.index >= 0 && $0.index < counts[$0.layer]
    }
    return isPossible && Set(experts).count == experts.count ? experts : []
  }

  /// Remembers the experts of this run. Where the folder cannot be written to, the next run starts
  /// cold, as it would have without this.
  func store(_ experts: [ExpertID]) {
    let entry = Entry(subject: subject, experts: experts.flatMap { [$0.layer, $0.index] })
    guard let file, let text = Self.encode(entry) else { return }
    _ = folder.keep(text, as: file)
  }

  private static func encode(_ value: some Encodable) -> String? {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) }
  }
}
