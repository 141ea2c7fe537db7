package import Foundation
package import MoEAnalysis
private import Testing

/// Recorded routing of real models, as `.npz` and `.json` side by side.
///
/// The folder is `MOE_TRACES`, by default `../shared/traces` beside the package.
package struct RoutingTraceFile: Sendable {
  package let expertCount: Int
  package let trace: RoutingTrace
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
      if !ContinuousIntegration.isOn { try Test.cancel("\(message)") }
      throw TraceFileError(message: message)
    }
    struct Description: Decodable { var experts: Int }
    expertCount = try JSONDecoder().decode(
      Description.self, from: Data(contentsOf: Self.directory.appending(path: name + ".json"))
    ).experts
    trace = try RoutingTrace(archive: Array(Data(contentsOf: archive)), name: name)
    experts = trace.experts.map(Int.init)
  }

  package var tokenCount: Int { trace.tokenCount }
  package var layerCount: Int { trace.layerCount }
  package var expertsPerToken: Int { trace.expertsPerToken }

  /// The experts of one token in one layer, best first.
  package func selection(token: Int, layer: Int) -> ArraySlice<Int> {
    let first = (token * layerCount + layer) * expertsPerToken
    return experts[first..<first + expertsPerToken]
  }
}

package struct TraceFileError: Error {
  package let message: String
}
