package import Foundation
package import Testing

/// The small trained model, nano-moe, and what an independent implementation makes of it.
package enum TrainedModel {
  /// The model in Q8_0, which the repository holds.
  package static let path =
    packageDirectory.appendingPathComponent("Models/nano-moe/model-q8_0.gguf").path

  /// The folder with the model in F16 and its goldens: `MOE_MODELS` names the folder it is in;
  /// without it, it is looked for beside the package. Nil where there is none.
  package static var directory: URL? {
    let root =
      ProcessInfo.processInfo.environment["MOE_MODELS"].map {
        URL(fileURLWithPath: $0, isDirectory: true)
      } ?? packageDirectory.appendingPathComponent("../shared/models", isDirectory: true)
    let directory = root.appendingPathComponent("nano-moe", isDirectory: true)
    let isThere = FileManager.default.fileExists(atPath: directory.path)
    return isThere ? directory.standardizedFileURL : nil
  }

  /// A file of that folder; where there is none the test fails.
  package static func file(_ name: String) throws -> URL {
    guard let url = directory?.appendingPathComponent(name),
      FileManager.default.fileExists(atPath: url.path)
    else { throw MissingModelFile(name: name) }
    return url
  }

  /// For tests that need that folder: skips them, and says so, where there is none. In an
  /// environment with `CI` they run and fail.
  package static var needed: ConditionTrait {
    .enabled(
      if: directory != nil || ContinuousIntegration.isOn,
      "no goldens of nano-moe; set MOE_MODELS to the folder that holds nano-moe")
  }

  /// The root of the package, from this file's own place in it.
  private static let packageDirectory = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
}

package struct MissingModelFile: Error, CustomStringConvertible {
  package let name: String

  package var description: String {
    "no file nano-moe/\(name); set MOE_MODELS to the folder that holds nano-moe"
  }
}
