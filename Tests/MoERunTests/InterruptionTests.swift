import Foundation
import Glibc
import MoETestSupport
import Testing

@Suite struct InterruptionTests {
  private static let model = TrainedModel.path

  /// A run that goes on until it is stopped or its context is full.
  private static let long = [
    model, "-p", "Once upon a time", "--ignore-eos", "-n", "-1", "--threads", "1", "--expert-pool",
    "4%",
  ]

  @Test(arguments: [SIGINT, SIGTERM])
  func aSignalEndsTheGenerationAndTheFiguresAreStillGiven(_ signal: Int32) async throws {
    let scratch = try Scratch()
    let program = try Program(Self.long + ["--stats-json", scratch.url("s.json").path])
    try await program.firstText()
    kill(program.process.processIdentifier, signal)
    let output = try await program.end()
    #expect(!output.wasKilled)
    #expect(output.code == 128 + signal)
    #expect(output.text.hasPrefix("Once upon a time"))
    #expect(output.text.hasSuffix("\n"))
    #expect(output.errorLines.count == 1, "\(output.errors)")
    #expect(output.errors.hasPrefix("prefill 4 tokens, "))
    let report = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: scratch.url("s.json")))
        as? [String: Any])
    #expect(report["interrupted"] as? Bool == true)
    #expect((report["generated_tokens"] as? Int ?? 0) < 1021)
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func aSignalBeforeThereIsAnythingToStopEndsTheProgram(_ signal: Int32) async throws {
    let pipe = Pipe()
    let program = try Program([Self.model], inputHandle: pipe.fileHandleForReading)
    // It waits for its prompt, or has not got that far; both must end it.
    try await Task.sleep(nanoseconds: 300_000_000)
    kill(program.process.processIdentifier, signal)
    let output = try await program.end()
    #expect(!output.wasKilled)
    #expect(output.code == 128 + signal)
    #expect(output.text.isEmpty)
    #expect(output.errors.isEmpty)
  }

  /// A reader that stops reading holds the program in a write; the first signal cannot end that.
  @Test func aSecondSignalEndsTheProgramAtOnce() async throws {
    let pipe = Pipe()
    // F_SETPIPE_SZ, which the C library's module leaves out.
    let size = fcntl(pipe.fileHandleForWriting.fileDescriptor, 1031, 4096)
    try #require(size >= 0 && size < 13 * 500)
    let prompt = String(repeating: "<|endoftext|>", count: 500)
    let program = try Program(
      [Self.model, "-p", prompt], outputHandle: pipe.fileHandleForWriting)
    #expect(try pipe.fileHandleForReading.read(upToCount: 1)?.count == 1)
    kill(program.process.processIdentifier, SIGINT)
    try await Task.sleep(nanoseconds: 500_000_000)
    #expect(program.process.isRunning)
    kill(program.process.processIdentifier, SIGINT)
    let output = try await program.end()
    #expect(!output.wasKilled)
    #expect(output.code == 130)
  }

  @Test func aSignalEndsAPerplexityRun() async throws {
    let text = String(repeating: "Once upon a time there was a little dog. ", count: 20_000)
    let program = try Program(["perplexity", Self.model, "--threads", "1"], input: text)
    try await Task.sleep(nanoseconds: 700_000_000)
    kill(program.process.processIdentifier, SIGINT)
    let output = try await program.end()
    #expect(!output.wasKilled)
    #expect(output.code == 130, "\(output.errors)")
    #expect(output.text.isEmpty)
  }

  @Test(arguments: [long, ["plan", model], ["inspect", model], ["--help"]])
  func aClosedStandardOutputIsOneSentence(_ arguments: [String]) async throws {
    let pipe = Pipe()
    try pipe.fileHandleForReading.close()
    let program = try Program(arguments, outputHandle: pipe.fileHandleForWriting)
    let output = try await program.end()
    #expect(!output.wasKilled)
    #expect(output.code == 141)
    #expect(output.errorLines.count == 1, "\(output.errors)")
    #expect(output.errors.contains("standard output was closed"))
  }

  @Test func aFullDiskIsOneSentence() async throws {
    let full = try #require(FileHandle(forWritingAtPath: "/dev/full"))
    let program = try Program(
      [Self.model, "-p", "x", "-n", "2"], outputHandle: full)
    let output = try await program.end()
    #expect(output.code == 1)
    #expect(output.errorLines.count == 1, "\(output.errors)")
    #expect(output.errors.contains("No space left on device"))

    let report = try await Program.run(
      Self.model, "-p", "x", "-n", "2", "-q", "--stats-json", "/dev/full")
    #expect(report.code == 1)
    #expect(report.errorLines.count == 1)
    #expect(report.errors.contains("'/dev/full' cannot be written: No space left on device"))
    #expect(FileManager.default.fileExists(atPath: "/dev/full"))
  }
}
