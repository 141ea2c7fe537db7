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

  /// Direct reads need a file system that has them; where there is none the program says so.
  @Test func readsFromAFileAreRight() throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "reads-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    try Data((0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 ^ $0 >> 8) }).write(to: file)
    let arguments = [
      "--toy", "--seconds", "0", "--filter", "reads/", "--file", file.path, "--depth", "3",
      "--read-sizes",
    ]
    let result = try runBench(arguments + ["4K,516K,1M"])
    if result.output.contains("cannot be used here") { try Test.cancel("\(result.output)") }
    #expect(result.status == 0, "\(result.output)")
    for name in ["4KiB", "516KiB", "1024KiB"] {
      #expect(result.output.contains("reads/\(name)-depth3"), "\(result.output)")
    }
    let tooLarge = try runBench(arguments + ["2M"])
    #expect(tooLarge.status != 0)
    #expect(tooLarge.output.contains("has 1048576 bytes; give a file of at least 2097152"))
  }

  @Test(arguments: [
    ("--threads", "0"), ("--threads", "1000"), ("--seconds", "-1"), ("--seconds", "nan"),
    ("--filter", "no such benchmark"), ("--depth", "0"), ("--read-sizes", "5000"),
    ("--read-sizes", "much"), ("--file", "/nowhere/model"),
  ])
  func badFlagsAreRefusedWithTheirValue(_ flag: String, _ value: String) throws {
    let result = try runBench(["\(flag)=\(value)", "--toy"])
    #expect(result.status != 0)
    #expect(result.output.contains(value))
  }
}
