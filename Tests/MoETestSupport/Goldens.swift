package import Foundation
package import Testing

/// Reference data that is too large to commit: made by independent implementations, described by
/// the README beside it.
package enum Goldens {
  /// The folder that `MOE_GOLDENS` names, or `../shared/goldens` beside the package. Nil where it
  /// is not there.
  package static var directory: URL? {
    let environment = ProcessInfo.processInfo.environment
    let packageRoot = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let url =
      environment["MOE_GOLDENS"].map { URL(fileURLWithPath: $0, isDirectory: true) }
      ?? packageRoot.appendingPathComponent("../shared/goldens", isDirectory: true)
    return FileManager.default.fileExists(atPath: url.path) ? url.standardizedFileURL : nil
  }

  /// For suites that need goldens: skips them, and says so, where there are none. In an environment
  /// with `CI` they run and fail.
  ///
  /// Cancelling alone is not enough, since cancelled cases of a parameterised test are not reported.
  package static var needed: ConditionTrait {
    .enabled(
      if: directory != nil || isRequired, "no goldens; set MOE_GOLDENS to the folder with them")
  }

  /// A file or folder of the goldens by its path within them.
  ///
  /// Where it is missing the test that asks is cancelled with a message, or fails in an environment
  /// with `CI`, so that a run that counts never skips.
  package static func require(_ path: String) throws -> URL {
    let url = directory?.appendingPathComponent(path).standardizedFileURL
    if let url, FileManager.default.fileExists(atPath: url.path) { return url }
    let missing = MissingGolden(path: path)
    if isRequired { throw missing }
    try Test.cancel("\(missing)")
  }

  private static var isRequired: Bool { ProcessInfo.processInfo.environment["CI"] != nil }
}

private struct MissingGolden: Error, CustomStringConvertible {
  let path: String
  var description: String { "no golden \(path); set MOE_GOLDENS to the folder that holds them" }
}
