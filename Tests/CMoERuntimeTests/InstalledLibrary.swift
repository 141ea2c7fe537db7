import Foundation
import MoETestSupport
import Testing

/// The library as `make install` leaves it in a folder that is gone afterwards, and C programs that
/// were built with what its pkg-config file says.
struct InstalledLibrary: Sendable {
  /// The one of the suite that runs.
  @TaskLocal static var current: InstalledLibrary?

  static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Fixtures/c")
  private static let package = fixtures.appending(path: "../../..").standardizedFileURL
  private static let programs = ["example", "texts", "errors", "threads"]

  let folder: TemporaryFolder

  var prefix: URL { folder.url.appending(path: "prefix") }
  var library: String { prefix.appending(path: "lib/libmoerun.so").path }
  var moeRun: String { prefix.appending(path: "bin/moe-run").path }

  /// Installs what is built: the products lie beside the test bundle, which is what runs now.
  init() throws {
    folder = try TemporaryFolder()
    let bundle = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let build = URL(fileURLWithPath: bundle).deletingLastPathComponent().path
    // Building is not its business here: in place of Swift comes a command that does nothing.
    try Self.succeed([
      "make", "-C", Self.package.path, "install", "SWIFT=true", "BUILD=\(build)",
      "PREFIX=\(prefix.path)",
    ])
    for name in Self.programs {
      try Self.succeed(
        [
          "sh", "-c",
          #"cc -std=c11 -Wall -Wextra -Werror -g "$1" -o "$2" "#
            + #"$(pkg-config --cflags --libs moerun) "#
            + #"-Wl,-rpath,"$(pkg-config --variable=libdir moerun)" -pthread"#,
          "sh", Self.fixtures.appending(path: "\(name).c").path, program(name),
        ], environment)
    }
  }

  private var environment: [String] {
    let own = prefix.appending(path: "lib/pkgconfig").path
    let others = ProcessInfo.processInfo.environment["PKG_CONFIG_PATH"].map { ":" + $0 } ?? ""
    return ["PKG_CONFIG_PATH=" + own + others]
  }

  /// The path of a program of `Tests/Fixtures/c`.
  func program(_ name: String) -> String { folder.url.appending(path: name).path }

  /// Runs a command with the library's pkg-config file in reach; a failure of it is one of the
  /// test.
  @discardableResult
  func succeed(_ command: [String]) throws -> String { try Self.succeed(command, environment) }

  @discardableResult
  private static func succeed(_ command: [String], _ environment: [String] = []) throws -> String {
    // Whatever hangs is ended, and then has failed.
    let all = ["/usr/bin/env"] + environment + ["timeout", "600"] + command
    let process = try MeasuredProcess.run(all)
    guard process.exitCode == 0 else {
      throw Failure(
        description: "\(command.joined(separator: " ")) ended with \(process.exitCode): "
          + process.errorOutput + process.output)
    }
    return process.output
  }

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }
}

/// Installs the library once for a suite.
struct InstallsLibrary: SuiteTrait, TestScoping {
  func provideScope(
    for test: Test, testCase: Test.Case?, performing body: @Sendable () async throws -> Void
  ) async throws {
    try await InstalledLibrary.$current.withValue(try InstalledLibrary()) { try await body() }
  }
}

extension Trait where Self == InstallsLibrary {
  static var installsLibrary: Self { Self() }
}

/// Programs that a machine may lack.
enum Tool {
  static func isThere(_ name: String) -> Bool {
    let folders = ProcessInfo.processInfo.environment["PATH"] ?? ""
    return folders.split(separator: ":").contains {
      FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
    }
  }

  /// Skips tests where one is missing, and says so. In an environment with `CI` they run and fail.
  static func needed(_ names: String...) -> ConditionTrait {
    .enabled(
      if: ContinuousIntegration.isOn || names.allSatisfy(isThere),
      "needs \(names.joined(separator: ", "))")
  }
}
