import Foundation
import Glibc
import MoECore
import Testing

/// Runs the built `moe-run` as users do, and waits for its end.
struct Program {
  struct Output {
    var code: Int32
    /// Whether a signal that the program did not take ended it.
    var wasKilled: Bool
    var text: String
    var errors: String

    /// The standard error as lines.
    var errorLines: [Substring] { errors.split(separator: "\n") }

    func json() throws -> [String: Any] {
      try #require(
        try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }
  }

  /// The program lies beside the test bundle, which is what runs now.
  static let url = URL(
    fileURLWithPath: (try? FileManager.default.destinationOfSymbolicLink(
      atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
  ).deletingLastPathComponent().appendingPathComponent("moe-run")

  let process = Process()
  let scratch: Scratch
  private let outputURL: URL
  private let errorURL: URL
  private let isOutputOurs: Bool

  /// - Parameters:
  ///   - input: The text on standard input.
  ///   - inputHandle: Standard input itself, in place of `input`.
  ///   - outputHandle: Standard output itself; `Output.text` is then empty.
  ///   - environment: Variables beside those of the tests.
  init(
    _ arguments: [String], executable: URL = Program.url, input: String = "",
    inputHandle: FileHandle? = nil, outputHandle: FileHandle? = nil,
    environment: [String: String] = [:]
  ) throws {
    scratch = try Scratch()
    outputURL = scratch.url("out")
    errorURL = scratch.url("err")
    process.executableURL = executable
    process.arguments = arguments
    // Nothing is left in, or taken from, the cache folder of whoever runs the tests.
    process.environment = ProcessInfo.processInfo.environment
      .merging(["XDG_CACHE_HOME": scratch.url("cache").path]) { $1 }
      .merging(environment) { $1 }
    try Data(input.utf8).write(to: scratch.url("in"))
    process.standardInput = try inputHandle ?? FileHandle(forReadingFrom: scratch.url("in"))
    for url in [outputURL, errorURL] { try Data().write(to: url) }
    isOutputOurs = outputHandle == nil
    process.standardOutput = try outputHandle ?? FileHandle(forWritingTo: outputURL)
    process.standardError = try FileHandle(forWritingTo: errorURL)
    try process.run()
  }

  /// Runs the program to its end.
  static func run(_ arguments: String..., input: String = "") async throws -> Output {
    try await Program(arguments, input: input).end()
  }

  /// Blocks until the program has written some text.
  func hasWritten() throws {
    try block(until: "its first text") { (try? Data(contentsOf: outputURL))?.isEmpty == false }
  }

  /// Blocks until the program has taken so much of a processor: how far it has come, however busy
  /// the machine is.
  func hasComputed(forSeconds seconds: Double) throws {
    try block(until: "\(seconds) s of computing") { try processorSeconds() >= seconds }
  }

  /// Blocks because a suspended test may go on only when others are done, and the program would
  /// take a processor from them until then.
  private func block(until what: String, _ condition: () throws -> Bool) throws {
    let limit = MonotonicClock.nanoseconds() + 120_000_000_000
    while try !condition() {
      guard process.isRunning, MonotonicClock.nanoseconds() < limit else {
        kill(process.processIdentifier, SIGKILL)
        throw Stuck(what: what, arguments: process.arguments ?? [])
      }
      usleep(5_000)
    }
  }

  /// User and system time, from `/proc/<process>/stat`: fields 14 and 15, in clock ticks.
  private func processorSeconds() throws -> Double {
    let path = "/proc/\(process.processIdentifier)/stat"
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return 0 }
    let fields = try #require(text.split(separator: ")").last).split(separator: " ")
    let ticks = try #require(Double(fields[11])) + #require(Double(fields[12]))
    return ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
  }

  /// Waits for the program's end.
  func end() async throws -> Output {
    let limit = MonotonicClock.nanoseconds() + 120_000_000_000
    while process.isRunning {
      guard MonotonicClock.nanoseconds() < limit else {
        kill(process.processIdentifier, SIGKILL)
        throw Stuck(what: "its end", arguments: process.arguments ?? [])
      }
      try await Task.sleep(nanoseconds: 5_000_000)
    }
    return Output(
      code: process.terminationStatus,
      wasKilled: process.terminationReason == .uncaughtSignal,
      text: isOutputOurs ? try String(contentsOf: outputURL, encoding: .utf8) : "",
      errors: try String(contentsOf: errorURL, encoding: .utf8))
  }

  struct Stuck: Error {
    let what: String
    let arguments: [String]
  }
}

/// A folder of a test's own, gone with it.
final class Scratch {
  private let directory: URL

  init() throws {
    directory = FileManager.default.temporaryDirectory.appendingPathComponent(
      "moe-run-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
  }

  deinit { try? FileManager.default.removeItem(at: directory) }

  func url(_ name: String) -> URL { directory.appendingPathComponent(name) }

  func write(_ content: Data, to name: String) throws -> String {
    try content.write(to: url(name))
    return url(name).path
  }

  var names: [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
  }
}
