import MoEPlatform
import MoERuntime

/// A model's files, of which the headers are there and perhaps nothing else.
final class ModelHeader: Sendable {
  /// The file to open, for as long as this object is there.
  let path: String
  /// The model's name at the hub that its weights are still at; nil where they are here.
  let hubName: String?
  /// With the files, gone with this object.
  private let folder: String?
  private let names: [String]

  init(path: String) {
    (self.path, hubName, folder, names) = (path, nil, nil, [])
  }

  /// - Parameters:
  ///   - folder: A folder of its own.
  ///   - names: Of the files in it.
  init(path: String, hubName: String, folder: String, names: [String]) {
    (self.path, self.hubName, self.folder, self.names) = (path, hubName, folder, names)
  }

  deinit {
    if let folder { Folder.remove(folder, with: names) }
  }

  /// What is missing of it, for reports; nil where that is for the file itself to say.
  var missing: String? {
    hubName.map { "the weights, which are at the hub: moe-run pull \($0)" }
  }

  /// A text that speaks of the files, as the hub names them.
  func named(_ text: String) -> String {
    guard let folder, let hubName else { return text }
    return text.replacing(folder + "/", with: "\(hubName.prefix { $0 != ":" })/")
  }

  /// Reads the header; errors name the files as the hub does.
  func read<Result>(_ body: (_ path: String) throws(EngineError) -> Result) throws -> Result {
    do throws(EngineError) {
      return try body(path)
    } catch {
      if hubName == nil { throw error }
      if case .budgetTooSmall = error { throw error }
      throw Failure.runtime(named(error.flagDescription))
    }
  }
}
