package import Foundation
private import Testing

/// Reference data that is too large to commit: made by independent implementations, described by the
/// README beside it.
package enum Goldens {
  /// The folder that `MOE_GOLDENS` names, or `../shared/goldens` beside the package. Nil where there
  /// is none.
  package static var directory: URL? {
    let environment = ProcessInfo.processInfo.environment
    let packageRoot = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let url =
      environment["MOE_GOLDENS"].map { URL(fileURLWithPath: $0, isDirectory: true) }
      ?? packageRoot.appendingPathComponent("../shared/goldens", isDirectory: true)
    return FileManager.default.fileExists(atPath: url.path) ? url.standardizedFileURL : nil
  }

  /// A file or folder of the goldens by its path within them.
  ///
  /// Where it is missing the test that asks is cancelled with a message, or fails if the environment
  /// has `CI`, so that a run that counts never skips in silence.
  package static func require(_ path: String) throws -> URL {
    let url = directory?.appendingPathComponent(path).standardizedFileURL
    if let url, FileManager.default.fileExists(atPath: url.path) { return url }
    let missing = MissingGolden(path: path)
    if ProcessInfo.processInfo.environment["CI"] != nil { throw missing }
    try Test.cancel("\(missing)")
  }
}

private struct MissingGolden: Error, CustomStringConvertible {
  let path: String
  var description: String { "no golden \(path); set MOE_GOLDENS to the folder that holds them" }
}
