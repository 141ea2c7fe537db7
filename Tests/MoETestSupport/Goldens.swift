package import Foundation
import Testing

/// Where the reference outputs of independent implementations lie.
///
/// A compact set is committed (`Tests/Fixtures/goldens`): models of every supported architecture,
/// blocks of every format, small tokenizers. `MOE_GOLDENS` names a folder with more of them;
/// without it, one beside the package is looked for. What lies in both is taken from there.
package enum Goldens {
  /// The folders to look in, the first that has a file being the one.
  package static var directories: [URL] {
    let root =
      ProcessInfo.processInfo.environment["MOE_GOLDENS"].map {
        URL(fileURLWithPath: $0, isDirectory: true)
      } ?? packageDirectory.appendingPathComponent("../shared/goldens", isDirectory: true)
    let committed = packageDirectory.appendingPathComponent(
      "Tests/Fixtures/goldens", isDirectory: true)
    return [root, committed].filter { FileManager.default.fileExists(atPath: $0.path) }
      .map(\.standardizedFileURL)
  }

  /// The file or folder at `path` in a golden folder.
  ///
  /// Where it is missing the running test is cancelled with the reason; under continuous
  /// integration it fails instead, so that a lost folder can't pass for a success.
  package static func require(_ path: String) throws -> URL {
    for directory in directories {
      let url = directory.appendingPathComponent(path)
      if FileManager.default.fileExists(atPath: url.path) { return url }
    }
    let missing = MissingGolden(path: path, directories: directories.map(\.path))
    if ContinuousIntegration.isOn { throw missing }
    try Test.cancel("\(missing)")
  }

  /// The folders of golden models, each name once.
  package static var models: [URL] {
    var found: [String: URL] = [:]
    for directory in directories.reversed() {
      let folder = directory.appendingPathComponent("models")
      let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
      for name in names { found[name] = folder.appendingPathComponent(name) }
    }
    return found.sorted { $0.key < $1.key }.map(\.value)
  }

  /// The root of the package, from this file's own place in it.
  private static let packageDirectory = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
}

package struct MissingGolden: Error, CustomStringConvertible {
  package let path: String
  package let directories: [String]

  package var description: String {
    "no golden file \(path) in \(directories.joined(separator: " or ")); set MOE_GOLDENS to a "
      + "folder that has it"
  }
}
