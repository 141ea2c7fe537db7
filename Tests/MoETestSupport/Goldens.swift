package import Foundation
import Testing

/// Where the reference outputs of independent implementations lie.
///
/// They are too large for the repository. `MOE_GOLDENS` names their folder; without it, they are
/// looked for beside the package.
package enum Goldens {
  /// The folder, or nil where there is none.
  package static var directory: URL? {
    let root =
      ProcessInfo.processInfo.environment["MOE_GOLDENS"].map {
        URL(fileURLWithPath: $0, isDirectory: true)
      } ?? packageDirectory.appendingPathComponent("../shared/goldens", isDirectory: true)
    return FileManager.default.fileExists(atPath: root.path) ? root.standardizedFileURL : nil
  }

  /// The file or folder at `path` inside the golden folder.
  ///
  /// Where it is missing the running test is cancelled with the reason; under continuous
  /// integration (`CI` is set) it fails instead, so that a lost folder can't pass for a success.
  package static func require(_ path: String) throws -> URL {
    if let url = directory?.appendingPathComponent(path),
      FileManager.default.fileExists(atPath: url.path)
    {
      return url
    }
    let missing = MissingGolden(path: path, directory: directory?.path)
    if ProcessInfo.processInfo.environment["CI"] != nil { throw missing }
    try Test.cancel("\(missing)")
  }

  /// The root of the package, from this file's own place in it.
  private static let packageDirectory = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
}

package struct MissingGolden: Error, CustomStringConvertible {
  package let path: String
  package let directory: String?

  package var description: String {
    if let directory { return "no golden file \(path) in \(directory)" }
    return "no golden folder for \(path); set MOE_GOLDENS to it, or place it at ../shared/goldens"
  }
}
