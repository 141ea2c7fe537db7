import Foundation
import MoECore
import MoETemplates
import Testing

/// The shared chat templates with what other implementations rendered from them.
enum OutputGoldens {
  /// The folder. Where it is missing the running test is cancelled; under continuous integration it
  /// fails instead.
  static func folder() throws -> URL {
    let environment = ProcessInfo.processInfo.environment
    var root = URL(fileURLWithPath: #filePath)
    for _ in 0..<4 { root.deleteLastPathComponent() }
    let goldens =
      environment["MOE_GOLDENS"].map { URL(fileURLWithPath: $0, isDirectory: true) }
      ?? root.appendingPathComponent("../shared/goldens", isDirectory: true).standardizedFileURL
    let folder = goldens.appendingPathComponent("templates", isDirectory: true)
    if FileManager.default.fileExists(atPath: folder.path) { return folder }
    let missing = MissingOutputGoldens(path: folder.path)
    if !(environment["CI"] ?? "").isEmpty { throw missing }
    try Test.cancel("\(missing)")
  }

  static func text(_ name: String) throws -> String {
    try String(contentsOf: folder().appendingPathComponent(name), encoding: .utf8)
  }

  static func json(_ name: String) throws -> JSON { try JSON(text: text(name)) }
}

struct MissingOutputGoldens: Error, CustomStringConvertible {
  let path: String

  var description: String { "no golden templates at \(path); set MOE_GOLDENS to their folder" }
}
