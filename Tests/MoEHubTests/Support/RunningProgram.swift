#if TLS
  import Foundation
  import Glibc
  import MoETestSupport

  /// The built `moe-run`, with a hub of the tests.
  struct RunningProgram {
    let process = Process()
    private let files: TemporaryFolderURLs

    struct Output {
      let code: Int32
      let text: String
      let errors: String
    }

    private struct TemporaryFolderURLs {
      let output, errors: URL
    }

    struct Stuck: Error {}

    /// The program lies beside the test bundle, which is what runs now.
    private static let url = URL(
      fileURLWithPath: (try? FileManager.default.destinationOfSymbolicLink(
        atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    ).deletingLastPathComponent().appending(path: "moe-run")

    /// - Parameter environment: Variables beside those that every program needs.
    init(_ arguments: [String], _ folder: HubFolder, environment: [String: String]) throws {
      let name = UUID().uuidString
      files = TemporaryFolderURLs(
        output: folder.folder.url.appending(path: name + ".out"),
        errors: folder.folder.url.appending(path: name + ".err"))
      process.executableURL = Self.url
      process.arguments = arguments
      let own = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("HF_") }
      process.environment = own.merging(["XDG_CACHE_HOME": folder.path + "/xdg"]) { $1 }
        .merging(environment) { $1 }
      for url in [files.output, files.errors] { try Data().write(to: url) }
      process.standardInput = FileHandle.nullDevice
      process.standardOutput = try FileHandle(forWritingTo: files.output)
      process.standardError = try FileHandle(forWritingTo: files.errors)
      try process.run()
    }

    /// What it has said on standard error so far.
    var errors: String { (try? String(contentsOf: files.errors, encoding: .utf8)) ?? "" }

    func end() async throws -> Output {
      for _ in 0..<24_000 where process.isRunning { try await Task.sleep(for: .milliseconds(5)) }
      if process.isRunning {
        kill(process.processIdentifier, SIGKILL)
        throw Stuck()
      }
      return Output(
        code: process.terminationStatus,
        text: try String(contentsOf: files.output, encoding: .utf8),
        errors: try String(contentsOf: files.errors, encoding: .utf8))
    }
  }
#endif
