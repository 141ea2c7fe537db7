package import Foundation
private import Testing

/// Recorded routing of real models, as `.npz` and `.json` side by side.
///
/// The folder is `MOE_TRACES`, by default `../shared/traces` beside the package.
package struct RoutingTraceFile: Sendable {
  package let tokenCount: Int
  package let layerCount: Int
  package let expertsPerToken: Int
  package let expertCount: Int
  /// `(token, layer, rank)`, the router's order.
  package let experts: [Int]

  package static var directory: URL {
    if let path = ProcessInfo.processInfo.environment["MOE_TRACES"] {
      return URL(fileURLWithPath: path)
    }
    let package = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    return package.appending(path: "../shared/traces").standardizedFileURL
  }

  /// Reads `<directory>/<name>.npz`. Where it is absent the test is skipped, or fails under `CI`.
  package init(_ name: String) throws {
    let archive = Self.directory.appending(path: name + ".npz")
    guard FileManager.default.fileExists(atPath: archive.path) else {
      let message = "no routing trace at \(archive.path); set MOE_TRACES to the traces' folder"
      if ProcessInfo.processInfo.environment["CI"] == nil { try Test.cancel("\(message)") }
      throw TraceFileError(message: message)
    }
    struct Description: Decodable { var experts: Int }
    let description = try JSONDecoder().decode(
      Description.self, from: Data(contentsOf: Self.directory.appending(path: name + ".json")))
    let array = try NumpyArray(member: "experts.npy", of: Array(Data(contentsOf: archive)))
    guard array.shape.count == 3 else { throw TraceFileError(message: "\(name): not 3 axes") }
    tokenCount = array.shape[0]
    layerCount = array.shape[1]
    expertsPerToken = array.shape[2]
    expertCount = description.experts
    experts = array.values
  }

  /// The experts of one token in one layer, best first.
  package func selection(token: Int, layer: Int) -> ArraySlice<Int> {
    let first = (token * layerCount + layer) * expertsPerToken
    return experts[first..<first + expertsPerToken]
  }
}

package struct TraceFileError: Error {
  package let message: String
}

/// An array of 16-bit integers out of a compressed `.npz` archive.
private struct NumpyArray {
  var shape: [Int]
  var values: [Int]

  /// Finds the member by the zip file's central directory, since numpy leaves the sizes out of the
  /// local headers.
  init(member: String, of archive: [UInt8]) throws {
    func number(_ offset: Int, _ byteCount: Int) -> Int {
      (0..<byteCount).reduce(0) { $0 | Int(archive[offset + $1]) << (8 * $1) }
    }
    // The end record is the last 22 bytes: numpy writes no archive comment.
    var entry = number(archive.count - 6, 4)
    for _ in 0..<number(archive.count - 12, 2) {
      let nameCount = number(entry + 28, 2)
      if archive[entry + 46..<entry + 46 + nameCount].elementsEqual(member.utf8) {
        let local = number(entry + 42, 4)
        let start = local + 30 + number(local + 26, 2) + number(local + 28, 2)
        let data = try inflate(
          archive[start..<start + number(entry + 20, 4)], byteCount: number(entry + 24, 4))
        self = try NumpyArray(contents: data)
        return
      }
      entry += 46 + nameCount + number(entry + 30, 2) + number(entry + 32, 2)
    }
    throw TraceFileError(message: "no \(member) in the archive")
  }

  init(contents: [UInt8]) throws {
    let start = 10 + Int(contents[8]) + Int(contents[9]) << 8
    let header = String(decoding: contents[10..<start], as: UTF8.self)
    guard header.contains("'<i2'"), let match = header.firstMatch(of: /'shape': \(([0-9, ]*)\)/)
    else { throw TraceFileError(message: "not an array of int16: \(header)") }
    shape = match.1.split { ", ".contains($0) }.compactMap { Int($0) }
    values = stride(from: start, to: contents.count, by: 2).map {
      Int(Int16(bitPattern: UInt16(contents[$0]) | UInt16(contents[$0 + 1]) << 8))
    }
    guard values.count == shape.reduce(1, *) else {
      throw TraceFileError(message: "\(values.count) values for shape \(shape)")
    }
  }
}
