import Foundation
import MoERuntime
import MoETestSupport
import MoETokenizer
import Testing

@Suite struct GenerateTests {
  private static let model = TrainedModel.path
  private static let start = "Once upon a time"

  /// The arguments of a short run that always gives the same text.
  private func greedy(_ more: String...) -> [String] {
    [Self.model, "-p", Self.start, "--temp", "0", "-n", "24"] + more
  }

  private func run(_ arguments: [String], input: String = "") async throws -> Program.Output {
    let output = try await Program(arguments, input: input).end()
    #expect(output.code == 0, "\(output.errors)")
    return output
  }

  struct Golden: Decodable {
    struct Item: Decodable {
      let prompt: String
      let greedyIds: [Int32]
      /// Lead of the best logit at each step.
      let margins: [Double]
    }

    let items: [Item]
  }

  /// The quantised model may choose otherwise where the reference was undecided.
  @Test(TrainedModel.needed, arguments: [("model-f16.gguf", 0.002), ("model-q8_0.gguf", 0.2)])
  func continuesTextsAsTheReferenceDoes(_ file: String, _ margin: Double) async throws {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let golden = try decoder.decode(
      Golden.self, from: Data(contentsOf: TrainedModel.file("golden_generation.json")))
    let model = try TrainedModel.file(file).path
    let tokenizer = try Engine.tokenizer(ofModelAt: model)
    try #require(!golden.items.isEmpty)
    for item in golden.items {
      let certain = zip(item.greedyIds, item.margins).prefix { $0.1 > margin }.map(\.0)
      let expected = item.prompt + tokenizer.decode(certain, renderSpecial: false)
      let output = try await run(
        [model, "-p", item.prompt, "--parse-special", "--temp", "0", "-n", "64"])
      #expect(output.text.hasPrefix(expected), "\(output.text)")
    }
  }

  @Test func givesTheSameTextWhereverExpertsAre() async throws {
    let resident = try await run(greedy("--placement", "resident"))
    let offloaded = try await run(greedy("--expert-pool", "30%", "--store", "pread"))
    #expect(offloaded.text == resident.text)
    #expect(resident.text.hasPrefix(Self.start))
    #expect(resident.text.count > Self.start.count + 24)
  }

  @Test func theModelMayBeAFlagAndTheSubcommandMayBeNamed() async throws {
    let plain = try await run(greedy())
    let named = try await run(
      ["generate", "-m", Self.model, "--prompt", Self.start, "--temp", "0", "-n", "24"])
    #expect(named.text == plain.text)
  }

  @Test func sameSeedGivesTheSameTextAndAnotherGivesAnother() async throws {
    func sample(_ seed: String) async throws -> String {
      try await run([Self.model, "-p", Self.start, "-n", "32", "--seed", seed]).text
    }
    let text = try await sample("7")
    #expect(try await sample("7") == text)
    #expect(try await sample("8") != text)
  }

  @Test func readsThePromptFromFilesAndStandardInput() async throws {
    let expected = try await run(greedy()).text
    let scratch = try Scratch()
    let file = try scratch.write(Data((Self.start + "\n").utf8), to: "prompt.txt")
    let rest = ["--temp", "0", "-n", "24"]
    #expect(try await run([Self.model, "-f", file] + rest).text == expected)
    #expect(try await run([Self.model] + rest, input: Self.start).text == expected)
    #expect(try await run([Self.model, "-f", "-"] + rest, input: Self.start).text == expected)
  }

  /// What editors on other systems put into a file is not part of the prompt.
  @Test(arguments: ["\u{FEFF}", ""], ["", "\n", "\r\n"])
  func aByteOrderMarkAndOneLineBreakAtTheEndAreNoText(mark: String, end: String) async throws {
    let scratch = try Scratch()
    let inside = "\r\nthere was"
    let file = try scratch.write(Data((mark + Self.start + inside + end).utf8), to: "prompt.txt")
    let rest = ["--temp", "0", "-n", "4"]
    let expected = try await run([Self.model, "-p", Self.start + inside] + rest).text
    #expect(try await run([Self.model, "-f", file] + rest).text == expected)
    let twice = try scratch.write(Data((Self.start + "\r\n" + end).utf8), to: "twice.txt")
    let output = try await run([Self.model, "-f", twice, "-n", "0"])
    #expect(output.text == Self.start + (end.isEmpty ? "\n" : "\r\n"))
  }

  @Test func namesOfSpecialTokensInThePromptAreTextUnlessAskedFor() async throws {
    func promptTokenCount(_ more: String...) async throws -> Int? {
      let scratch = try Scratch()
      let prompt = "<|im_start|>user"
      _ = try await run(
        [Self.model, "-p", prompt, "-n", "1", "--stats-json", scratch.url("stats.json").path]
          + more)
      let report = try JSONSerialization.jsonObject(
        with: Data(contentsOf: scratch.url("stats.json")))
      return (report as? [String: Any])?["prompt_tokens"] as? Int
    }
    let plain = try #require(try await promptTokenCount())
    let parsed = try #require(try await promptTokenCount("--parse-special"))
    let name = try await Program.run("tokenize", Self.model, "-p", "user", "--ids")
    #expect(parsed == 1 + name.text.split(separator: " ").count && plain > parsed + 2)
  }

  @Test(arguments: ["--no-echo", "--no-display-prompt"])
  func leavesThePromptOutWhereAsked(_ flag: String) async throws {
    let whole = try await run(greedy()).text
    #expect(try await run(greedy(flag)).text == String(whole.dropFirst(Self.start.count)))
  }

  @Test func writesOnlyTextToStandardOutputAndOneLineOfFiguresBeside() async throws {
    let output = try await run(greedy())
    #expect(output.text.hasSuffix("\n"))
    #expect(!output.text.contains("t/s"))
    #expect(output.errorLines.count == 1)
    #expect(output.errors.hasPrefix("prefill 4 tokens, "))
    let quiet = try await run(greedy("--quiet"))
    #expect(quiet.errors.isEmpty)
    #expect(quiet.text == output.text)
  }

  @Test func endsWhereTheModelEndsUnlessToldOtherwise() async throws {
    let prompt = "The cat and the dog"
    func text(_ more: String...) async throws -> String {
      try await run([Self.model, "-p", prompt, "--temp", "0", "-n", "40"] + more).text
    }
    let ended = try await text()
    let ongoing = try await text("--ignore-eos", "--special")
    #expect(ongoing.hasPrefix(ended.dropLast() + "<|endoftext|>"))
    #expect(ongoing.count > ended.count + 13)
  }

  @Test func generatesNothingWhereNothingIsWanted() async throws {
    let output = try await run([Self.model, "-p", Self.start, "-n", "0"])
    #expect(output.text == Self.start + "\n")
  }

  @Test func writesWhereTheTimeWentWhereAsked() async throws {
    let scratch = try Scratch()
    let plain = try await run(greedy("--expert-pool", "30%"))
    let path = scratch.url("timeline.json").path
    let output = try await run(greedy("--expert-pool", "30%", "--timeline", path))
    #expect(output.text == plain.text)
    #expect(output.errorLines.count == 2)
    for part in ["compute ", "waiting for the disk ", "other ", " events"] {
      #expect(output.errorLines.last?.contains(part) == true, "\(output.errors)")
    }
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: scratch.url("timeline.json")))
        as? [String: Any])
    let events = try #require(object["traceEvents"] as? [[String: Any]])
    #expect(events.filter { $0["name"] as? String == "token" }.count == 23)
    #expect(scratch.names == ["timeline.json"], "no temporary file is left")
  }

  @Test func writesWhatTheRunCostForMachines() async throws {
    let scratch = try Scratch()
    let path = try scratch.write(Data("old".utf8), to: "stats.json")
    _ = try await run(greedy("--expert-pool", "30%", "--seed", "5", "--stats-json", path))
    let report = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: scratch.url("stats.json")))
        as? [String: Any])
    let keys = [
      "architecture", "budget_bytes", "cache_policy", "chunk_tokens", "context_length",
      "decode_expert_requests", "decode_guesses", "decode_hit_rate", "decode_prefetched_bytes",
      "decode_prefetched_experts", "decode_prefetched_used", "decode_prefetched_wasted_bytes",
      "decode_read_bytes", "decode_read_bytes_per_token", "decode_right_guesses", "decode_seconds",
      "decode_stall_seconds", "decode_tokens_per_second", "experts", "fits_budget",
      "generated_tokens", "instruction_set", "interrupted", "lent_bytes", "lent_slots",
      "load_seconds", "model", "peak_bytes", "placement", "pool_slots", "predictor",
      "prefill_expert_requests", "prefill_hit_rate", "prefill_read_bytes", "prefill_seconds",
      "prefill_stall_seconds", "prefill_tokens_per_second", "prompt_tokens", "seed", "store",
      "threads", "warm_start_experts",
    ]
    #expect(report.keys.sorted() == keys)
    #expect(report["prompt_tokens"] as? Int == 4)
    #expect(report["generated_tokens"] as? Int == 24)
    #expect(report["seed"] as? Int == 5)
    #expect(report["interrupted"] as? Bool == false)
    // One request per expert, layer and decode step: 4 experts, 4 layers, 23 steps.
    #expect(report["decode_expert_requests"] as? Int == 4 * 4 * 23)
    let hitRate = try #require(report["decode_hit_rate"] as? Double)
    #expect(hitRate > 0 && hitRate < 1)
    let peak = try #require(report["peak_bytes"] as? Int)
    #expect(peak > 8 << 20)
    #expect(peak <= (report["budget_bytes"] as? Int ?? 0))
    #expect(scratch.names == ["stats.json"], "no temporary file is left")
  }
}
