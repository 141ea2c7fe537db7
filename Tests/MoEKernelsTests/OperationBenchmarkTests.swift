import Foundation
import Testing

/// Every benchmark checks its own result; here they run at toy size, so that they cannot rot.
@Suite struct OperationBenchmarkTests {
  /// moe-bench lies beside the program that runs the tests.
  private func runBench(_ arguments: [String]) throws -> (status: Int32, output: String) {
    let tests = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    let folder = tests.deletingLastPathComponent()
    let process = Process()
    process.executableURL = folder.appending(path: "moe-bench")
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }

  @Test func everyBenchmarkRunsAndIsRight() throws {
    let file = FileManager.default.temporaryDirectory
      .appending(path: "moe-bench-\(UUID().uuidString).csv")
    defer { try? FileManager.default.removeItem(at: file) }
    let listed = try runBench(["--toy", "--list"]).output.split(separator: "\n")
    let result = try runBench(
      ["--toy", "--seconds", "0", "--threads", "2", "--csv", file.path(percentEncoded: false)])
    #expect(result.status == 0, "\(result.output)")
    let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
    #expect(lines.count == listed.count + 1)
    let columnCount = lines.first?.split(separator: ",").count
    #expect(lines.allSatisfy { $0.split(separator: ",").count == columnCount })
    for name in listed { #expect(result.output.contains(name)) }
  }

  @Test(arguments: [
    ("--threads", "0"), ("--threads", "1000"), ("--seconds", "-1"), ("--seconds", "nan"),
    ("--filter", "no such benchmark"),
  ])
  func badFlagsAreRefusedWithTheirValue(_ flag: String, _ value: String) throws {
    let result = try runBench(["\(flag)=\(value)", "--toy"])
    #expect(result.status != 0)
    #expect(result.output.contains(value))
  }
}
