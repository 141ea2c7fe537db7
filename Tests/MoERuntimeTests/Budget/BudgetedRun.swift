import Foundation
import MoETestSupport
import Testing

/// One run of the program in a process of its own, under a memory budget.
struct BudgetedRun: Sendable, CustomStringConvertible {
  /// As `--memory` takes it; nil: the program finds one.
  var memory: String?
  var promptTokenCount = 1
  var contextLength = 4096
  var generatedTokenCount = 4
  var placement = "auto"
  var store = "auto"
  /// Nil: the program where it was built.
  var cold: ColdProgram?

  var description: String {
    "\(memory.map { "--memory \($0)" } ?? "no budget"), a prompt of \(promptTokenCount) tokens, "
      + "-c \(contextLength), --placement \(placement), --store \(store)"
      + (cold == nil ? "" : ", nothing of the program in memory")
  }

  /// What the program said of itself in `--stats-json`.
  struct Report: Decodable {
    var peakBytes: Int
    var budgetBytes: Int
    var fitsBudget: Bool
    var promptTokens: Int
    var generatedTokens: Int
    var placement: String
    var interrupted: Bool
  }

  /// The program that was built together with these tests.
  static let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    .deletingLastPathComponent().appending(path: "moe-run")

  /// - Parameter interruption: See `MeasuredProcess.run`.
  func run(
    model: URL, in group: MemoryGroup? = nil, interruptedAfter interruption: String? = nil
  ) async throws -> (process: MeasuredProcess, report: Report?) {
    let folder = try TemporaryFolder()
    let prompt = folder.url.appending(path: "prompt")
    let report = folder.url.appending(path: "report.json")
    // No merge joins digits, so each is a token.
    let digits = (0..<promptTokenCount).map { UInt8(ascii: "0") + UInt8($0 * $0 % 10) }
    try Data(digits).write(to: prompt)
    var arguments = [
      "generate", model.path, "-f", prompt.path, "-n", "\(generatedTokenCount)",
      "-c", "\(contextLength)", "--ignore-eos", "--seed", "1", "--placement", placement,
      "--store", store,
      "--stats-json", report.path,
    ]
    if let memory { arguments += ["--memory", memory] }
    let command =
      (cold?.command(Self.program.lastPathComponent) ?? [Self.program.path]) + arguments
    try cold?.drop()
    let process = try MeasuredProcess.run(
      command, in: group, interruptedAfter: interruption)
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let data = try? Data(contentsOf: report)
    return (process, try data.map { try decoder.decode(Report.self, from: $0) })
  }

  /// Runs the program and expects an answer within the budget.
  func requireSuccess(
    model: URL, in group: MemoryGroup? = nil, interruptedAfter interruption: String? = nil
  ) async throws -> (peakByteCount: Int, report: Report) {
    let (process, report) = try await run(
      model: model, in: group, interruptedAfter: interruption)
    let found = try #require(
      report, "exit code \(process.exitCode) with \(self):\n\(process.errorOutput)")
    let isInterrupted = interruption != nil
    #expect(process.exitCode == (isInterrupted ? 130 : 0), "\(process.errorOutput)")
    #expect(found.interrupted == isInterrupted)
    if !isInterrupted {
      #expect(found.promptTokens == promptTokenCount)
      #expect(found.generatedTokens == generatedTokenCount)
    }
    #expect(
      process.peakByteCount <= found.budgetBytes,
      "\(process.peakByteCount >> 10) KiB of \(found.budgetBytes >> 10) KiB with \(self)")
    // The claim is made before the report is written, which takes code that has not run before.
    #expect(abs(found.peakBytes - process.peakByteCount) <= 3 << 20)
    #expect(found.fitsBudget)
    return (process.peakByteCount, found)
  }
}
