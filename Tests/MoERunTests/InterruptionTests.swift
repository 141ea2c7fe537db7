import Foundation
import Glibc
import MoEFormats
import MoESynthetic
import MoETestSupport
import Testing

@Suite struct InterruptionTests {
  private static let model = TrainedModel.path

  /// A model that takes minutes to fill its context with the plain kernels: however late the signal
  /// is sent on a busy machine, the run is not over.
  private static func writeSlowModel(to url: URL) throws {
    var model = SyntheticModel(.qwen3moe)
    model.layerCount = 8
    model.hiddenSize = 512
    (model.headCount, model.keyValueHeadCount, model.headDimension) = (8, 8, 64)
    (model.expertCount, model.expertsPerToken, model.expertWidth) = (8, 4, 512)
    (model.vocabularySize, model.contextLength) = (4096, 16384)
    model.formats = .init(.q8_0)
    try model.write(to: url)
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func aSignalEndsTheGenerationAndTheFiguresAreStillGiven(_ signal: Int32) async throws {
    let scratch = try Scratch()
    try Self.writeSlowModel(to: scratch.url("slow.gguf"))
    let program = try Program(
      [
        scratch.url("slow.gguf").path, "-p", "Once upon a time", "--ignore-eos", "-n", "-1", "-c",
        "16384", "--stats-json", scratch.url("s.json").path, "--timeline",
        scratch.url("t.json").path,
      ], environment: ["MOE_ISA": "scalar"])
    try program.hasWritten()
    kill(program.process.processIdentifier, signal)
    let output = try await program.end()
    #expect(!output.wasKilled)
    #expect(output.code == 128 + signal)
    #expect(output.text.hasPrefix("Once upon a time"))
    #expect(output.text.hasSuffix("\n"))
    #expect(output.errorLines.count == 2, "\(output.errors)")
    #expect(output.errors.hasPrefix("prefill "))
    #expect(output.errorLines.last?.hasPrefix("time ") == true)
    let timeline = try JSONSerialization.jsonObject(with: Data(contentsOf: scratch.url("t.json")))
    #expect((timeline as? [String: Any])?["traceEvents"] is [Any])
    let report = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: scratch.url("s.json")))
        as? [String: Any])
    #expect(report["interrupted"] as? Bool == true)
    let generated = try #require(report["generated_tokens"] as? Int)
    #expect(generated < 16000)
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func aSignalBeforeThereIsAnythingToStopEndsTheProgram(_ signal: Int32) async throws {
    let pipe = Pipe()
    let program = try Program([Self.model], inputHandle: pipe.fileHandleForReading)
    // It waits for its prompt, or has not got that far; both must end it.
    usleep(300_000)
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
      [Self.model, "-p", prompt, "--parse-special"], outputHandle: pipe.fileHandleForWriting)
    #expect(try pipe.fileHandleForReading.read(upToCount: 1)?.count == 1)
    kill(program.process.processIdentifier, SIGINT)
    usleep(500_000)
    #expect(program.process.isRunning)
    kill(program.process.processIdentifier, SIGINT)
    let output = try await program.end()
    #expect(!output.wasKilled)
    #expect(output.code == 130)
  }

  @Test func aSignalEndsAPerplexityRun() async throws {
    let text = String(repeating: "Once upon a time there was a little dog. ", count: 20_000)
    let program = try Program(["perplexity", Self.model, "--threads", "1"], input: text)
    // Blocks on purpose: a suspended test may go on only when others are done.
    usleep(700_000)
    kill(program.process.processIdentifier, SIGINT)
    let output = try await program.end()
    #expect(!output.wasKilled)
    #expect(output.code == 130, "\(output.errors)")
    #expect(output.text.isEmpty)
  }

  @Test func aSignalEndsABenchmarkAndItsReportsAreStillWritten() async throws {
    let scratch = try Scratch()
    let program = try Program(
      [
        "bench", Self.model, "-p", "8", "-n", "400", "-r", "1000", "-t", "1", "--json",
        scratch.url("bench.json").path,
      ], environment: ["MOE_ISA": "scalar"])
    // Loading takes a fraction of that; before it there would be nothing to report.
    try program.hasComputed(forSeconds: 2)
    kill(program.process.processIdentifier, SIGINT)
    let output = try await program.end()
    #expect(!output.wasKilled)
    #expect(output.code == 130, "\(output.errors)")
    #expect(output.text.contains("t/s"))
    let report = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: scratch.url("bench.json")))
        as? [String: Any])
    #expect(report["interrupted"] as? Bool == true)
  }

  @Test(arguments: [
    [model, "-p", "Once upon a time", "--ignore-eos"], ["plan", model], ["inspect", model],
    ["--help"],
  ])
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

    let timeline = try await Program.run(
      Self.model, "-p", "x", "-n", "2", "-q", "--timeline", "/dev/full")
    #expect(timeline.code == 1)
    #expect(timeline.errorLines.count == 1)
    #expect(timeline.errors.contains("'/dev/full' cannot be written: No space left on device"))
  }
}
