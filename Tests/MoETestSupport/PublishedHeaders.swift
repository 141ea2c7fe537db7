package import Foundation
package import Testing

/// Descriptions of the headers of published models, from which sparse files of their true size are
/// made.
///
/// `MOE_HEADERS` names their folder; without it, it is looked for beside the package.
package enum PublishedHeaders {
  /// The folder, or nil where there is none.
  package static var directory: URL? {
    let root =
      ProcessInfo.processInfo.environment["MOE_HEADERS"].map {
        URL(fileURLWithPath: $0, isDirectory: true)
      } ?? packageDirectory.appendingPathComponent("../shared/headers", isDirectory: true)
    return FileManager.default.fileExists(atPath: root.path) ? root.standardizedFileURL : nil
  }

  /// The names of the descriptions; empty where there are none.
  package static var names: [String] {
    guard let directory else { return [] }
    let files = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
    return files.filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.sorted()
  }

  /// For suites that need the descriptions: skips them, and says so, where there are none. Where
  /// `CI` is set and not empty they run and fail.
  package static var needed: ConditionTrait {
    let isRequired = ProcessInfo.processInfo.environment["CI"].map { !$0.isEmpty } ?? false
    return .enabled(
      if: directory != nil || isRequired,
      "no headers of published models; set MOE_HEADERS to the folder with them")
  }

  /// Writes the files of one model into a folder and gives their places in order. The weights are
  /// holes. `options` go to the script that writes them.
  package static func write(
    _ name: String, to folder: URL, options: [String] = []
  ) throws -> [URL] {
    guard let directory else { throw Failure(name: name, text: "no folder of headers") }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments =
      [
        "python3", directory.appendingPathComponent("make_header_gguf.py").path,
        directory.appendingPathComponent(name + ".json").path, "-o", folder.path,
      ] + options
    let errors = Pipe()
    process.standardOutput = FileHandle.nullDevice
    process.standardError = errors
    try process.run()
    let complaint = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure(name: name, text: String(decoding: complaint, as: UTF8.self))
    }
    return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
      .map { folder.appending(path: $0) }
  }

  private struct Failure: Error, CustomStringConvertible {
    let name: String
    let text: String
    var description: String { "cannot write the files of \(name): \(text)" }
  }

  /// The root of the package, from this file's own place in it.
  private static let packageDirectory = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
}
