import Foundation
import Glibc
import MoETestSupport
import Testing

/// `moe-run pack --quantize`, `--size`, `--keep-experts` and `--low`, as users meet them.
@Suite struct PackQuantizeTests {
  private let scratch: Scratch
  private let model: String
  private let output: String

  init() throws {
    scratch = try Scratch()
    model = scratch.url("model.gguf").path
    output = scratch.url("small.gguf").path
    try FileManager.default.copyItem(atPath: TrainedModel.path, toPath: model)
    unsafe chmod(model, 0o644)
  }

  private func pack(_ more: String...) async throws -> Program.Output {
    try await Program(["pack", model] + more).end()
  }

  private func text(_ path: String, _ more: String...) async throws -> Program.Output {
    try await Program(
      [
        path, "-p", "Once upon a time", "-n", "24", "--temp", "0", "--expert-pool", "30%",
        "--no-warm-start",
      ] + more
    ).end()
  }

  private func size(_ path: String) throws -> Int {
    try #require(
      try FileManager.default.attributesOfItem(atPath: path)[.size] as? NSNumber
    ).intValue
  }

  @Test(arguments: ["gptq", "rtn"])
  func expertsAreWrittenInAnotherFormat(_ method: String) async throws {
    let packed = try await pack(
      "--quantize", "q4_0", "--method", method, "-o", output, "--calibration-tokens", "256")
    #expect(packed.code == 0, "\(packed.errors)")
    #expect(packed.text.contains("wrote \(output)"))
    #expect(packed.text.contains("of their squares") == (method == "gptq"))
    #expect(try size(output) < size(model))
    let inspected = try await Program.run("inspect", output)
    #expect(inspected.code == 0 && inspected.text.contains("Q4_0"), "\(inspected.text)")
    let answer = try await text(output)
    #expect(answer.code == 0 && !answer.text.isEmpty, "\(answer.errors)")
  }

  /// The same bytes as without interruption.
  @Test func whatWasKilledIsGoneOnWith() async throws {
    let arguments = ["--quantize", "q4_0", "--method", "rtn", "-o", output]
    #expect(try await Program(["pack", model] + arguments).end().code == 0)
    let whole = try Data(contentsOf: URL(fileURLWithPath: output))
    for delay in [1_000, 4_000, 9_000, 20_000] {
      try FileManager.default.removeItem(atPath: output)
      let program = try Program(["pack", model] + arguments)
      usleep(useconds_t(delay))
      kill(program.process.processIdentifier, SIGKILL)
      _ = try await program.end()
      let again = try await Program(["pack", model] + arguments).end()
      #expect(again.code == 0, "\(again.errors)")
      #expect(try Data(contentsOf: URL(fileURLWithPath: output)) == whole)
    }
  }

  @Test func aSizeIsKept() async throws {
    let wanted = try size(model) * 7 / 10
    let packed = try await pack(
      "--size", "\(wanted)", "--method", "rtn", "-o", output, "--calibration-tokens", "256")
    #expect(packed.code == 0, "\(packed.errors)")
    #expect(packed.text.contains("experts of layer"), "\(packed.text)")
    #expect(try size(output) <= wanted)
    #expect(try await text(output).code == 0)
    let tooSmall = try await pack("--size", "100K", "-o", output, "--calibration-tokens", "64")
    #expect(tooSmall.code == 1 && tooSmall.errors.contains("give a size of at least"))
    #expect(tooSmall.errors.split(separator: "\n").count == 1, "\(tooSmall.errors)")
  }

  @Test func expertsAreLeftOut() async throws {
    let packed = try await pack(
      "--keep-experts", "24,20,16,12", "-o", output, "--calibration-tokens", "512")
    #expect(packed.code == 0, "\(packed.errors)")
    let inspected = try await Program.run("inspect", output, "--json")
    #expect(inspected.code == 0, "\(inspected.errors)")
    #expect(try size(output) < size(model) * 3 / 4)
    #expect(try await text(output).code == 0)
    for (value, by, wanted, code) in [
      ("8,8", "hard", "one for each", Int32(64)), ("1", "soft", "keep at least", 1),
      ("33", "soft", "", 0), ("schedule:8,8,8,9", "soft", "P must lie between", 64),
      ("schedule:32,24,16,1", "hard", "", 0), ("none", "soft", "give a number", 64),
      ("0", "soft", "give a number", 64),
    ] {
      let answer = try await pack(
        "--keep-experts", value, "--keep-by", by, "-o", output, "--calibration-tokens", "64")
      #expect(answer.code == code, "\(value): \(answer.errors)")
      #expect(wanted.isEmpty || answer.errors.contains(wanted), "\(value): \(answer.errors)")
    }
  }

  /// Copies answer for what is not in memory; the statistics say how much.
  @Test func copiesInFewerBitsAnswer() async throws {
    let packed = try await pack("--low", "q4_0")
    #expect(packed.code == 0, "\(packed.errors)")
    let answer = try await text(model, "--low-resident", "--on-miss", "low")
    #expect(answer.code == 0 && !answer.text.isEmpty, "\(answer.errors)")
    #expect(answer.errors.contains("fewer bits"), "\(answer.errors)")
    let again = try await text(model, "--low-resident", "--on-miss", "low")
    #expect(again.text == answer.text)
    // Without them the text is the model's own.
    let (plain, waits) = (
      try await text(model, "--no-bundle"), try await text(model, "--low-resident")
    )
    #expect(plain.code == 0 && plain.text == waits.text)
  }

  @Test func flagsThatDoNotGoTogetherAreRefused() async throws {
    for (arguments, wanted) in [
      (["--quantize", "q4_0"], "give -o with --quantize"),
      (["--size", "50%", "--quantize", "q4_0", "-o", output], "or --size"),
      (["--dense", "q4_0"], "want --quantize"),
      (["--calibration", "a.txt"], "wants --quantize"),
      (["--quantize", "q9", "-o", output], "q4_0"),
    ] {
      let answer = try await Program(["pack", model] + arguments).end()
      #expect(answer.code == 64 && answer.errors.contains(wanted), "\(answer.errors)")
    }
  }
}
