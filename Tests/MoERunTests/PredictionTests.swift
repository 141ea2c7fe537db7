import Foundation
import MoECore
import MoESynthetic
import MoETestSupport
import Testing

/// `plan` with a measurement, on a small model: that figures are there and labelled, not what they
/// are.
@Suite struct PredictionTests {
  private func plan(_ arguments: String..., cache: String) async throws -> Program.Output {
    try await Program(
      ["plan", TrainedModel.path, "--memory", "64M", "--expert-pool", "40%"] + arguments,
      environment: ["XDG_CACHE_HOME": cache]
    ).end()
  }

  private func prediction(
    _ arguments: String..., cache: String
  ) async throws -> [String: Any] {
    let output = try await Program(
      ["plan", TrainedModel.path, "--memory", "64M", "--expert-pool", "40%", "--json"] + arguments,
      environment: ["XDG_CACHE_HOME": cache]
    ).end()
    #expect(output.code == 0, "\(output.errors)")
    return try #require(try output.json()["prediction"] as? [String: Any])
  }

  private func number(_ object: [String: Any], _ path: String...) throws -> Double {
    var value: Any? = object
    for key in path { value = (value as? [String: Any])?[key] }
    return try #require(value as? Double, "\(path)")
  }

  @Test func predictsAndSaysWhereEachFigureComesFrom() async throws {
    let scratch = try Scratch()
    let cache = scratch.url("cache").path
    let output = try await plan(cache: cache)
    #expect(output.code == 0, "\(output.errors)")
    for text in [
      "speed     measured now", "assumed: routing like the trace qwen3-30b-a3b-chat",
      "t/s for 512 tokens, derived", "t/s at position 512, derived", " binds: ",
      "what would help\n", "memory +25 %", "a disk twice as fast", "weights in Q5_0",
      "GB/s", "GMAC/s",
    ] { #expect(output.text.contains(text), "\(text): \(output.text)") }

    let again = try await prediction(cache: cache)
    #expect((again["measured_note"] as? String)?.hasPrefix("measured before") == true)
    for phase in ["prefill", "decode"] {
      #expect(try number(again, phase, "tokens_per_second") > 0)
      let (seconds, overlapped) = (
        try number(again, phase, "seconds"), try number(again, phase, "overlapped_seconds")
      )
      #expect(seconds >= overlapped * 0.999, "nothing is faster than complete overlap")
    }
    #expect(again["hit_rate_basis"] as? String == "assumed")
    let advice = try #require(again["what_would_help"] as? [[String: Any]])
    #expect(advice.count == 3)
    let base = try number(again, "decode", "tokens_per_second")
    for line in advice.prefix(2) {
      #expect(try number(line, "decode_tokens_per_second") >= base * (1 - 1e-9))
    }
    let figures = try #require(again["measured"] as? [[String: Any]])
    #expect(figures.allSatisfy { $0["basis"] as? String == "measured" })
    #expect(figures.contains { $0["name"] as? String == "disk" })
  }

  /// The table of texts at a time: all counts with one context, and one of them chosen.
  @Test func saysHowManyTextsAreWorthIt() async throws {
    let scratch = try Scratch()
    let cache = scratch.url("cache").path
    let output = try await plan("--parallel", "-c", "256", "--hit-rate", "0.6", cache: cache)
    #expect(output.code == 0, "\(output.errors)")
    for text in ["texts at a time, each at position 256", "bound t/s", "; chosen", "\nchosen    "] {
      #expect(output.text.contains(text), "\(text): \(output.text)")
    }
    let report = try await Program(
      [
        "plan", TrainedModel.path, "--memory", "64M", "--expert-pool", "40%", "--json",
        "--parallel", "-c", "256", "--hit-rate", "0.6",
      ], environment: ["XDG_CACHE_HOME": cache]
    ).end().json()
    let table = try #require(report["parallel"] as? [String: Any])
    let rows = try #require(table["rows"] as? [[String: Any]])
    let counts = rows.compactMap { $0["texts"] as? Int }
    #expect(counts == counts.indices.map { 1 << $0 } && counts.count > 3)
    #expect(counts.contains(try #require(table["chosen"] as? Int)))
    #expect((table["why"] as? String)?.isEmpty == false)
    let states = rows.compactMap { $0["state_bytes"] as? Int }
    #expect(states.count == rows.count && zip(states, states.dropFirst()).allSatisfy { $0 < $1 })
    for row in rows {
      let (speed, bound) = (
        try number(row, "tokens_per_second"), try number(row, "bound_tokens_per_second")
      )
      #expect(speed > 0 && speed <= bound * 1.001)
    }
    // One text is what is predicted without the flag.
    let prediction = try #require(report["prediction"] as? [String: Any])
    let (one, alone) = (
      try number(rows[0], "tokens_per_second"),
      try number(prediction, "decode", "tokens_per_second")
    )
    #expect(abs(one - alone) <= 0.2 * alone, "\(one) and \(alone)")
  }

  @Test func measuresAnewWhereWhatWasKeptIsDamaged() async throws {
    let scratch = try Scratch()
    let cache = scratch.url("cache").path
    let first = try await prediction(cache: cache)
    #expect((first["measured_note"] as? String)?.hasPrefix("measured now") == true)
    let folder = cache + "/moe-run"
    let name = try #require(try FileManager.default.contentsOfDirectory(atPath: folder).first)
    let path = folder + "/" + name
    let good = try String(contentsOfFile: path, encoding: .utf8)
    let memory = try #require(
      good.firstMatch(of: /"memoryBytesPerSecond":[0-9.e+]+/)
    ).0
    for damaged in [
      "", "{", String(good.dropLast(10)),
      good.replacing(memory, with: "\"memoryBytesPerSecond\":-1"),
      good.replacing("\"version\":", with: "\"version\":9"), "null",
    ] {
      try damaged.write(toFile: path, atomically: true, encoding: .utf8)
      let report = try await prediction(cache: cache)
      #expect((report["measured_note"] as? String)?.hasPrefix("measured now") == true)
    }
    let fresh = try await prediction("--probe", "fresh", cache: cache)
    #expect((fresh["measured_note"] as? String)?.hasPrefix("measured now") == true)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [name])
  }

  @Test func aFolderThatCannotBeWrittenToIsNoFailure() async throws {
    let scratch = try Scratch()
    let file = try scratch.write(Data(), to: "file")
    for cache in [file, "/proc/nowhere"] {
      let report = try await prediction(cache: cache)
      let note = try #require(report["measured_note"] as? String)
      #expect(note.contains("not kept"), "\(note)")
    }
  }

  @Test func takesAStatedHitRate() async throws {
    let scratch = try Scratch()
    let cache = scratch.url("cache").path
    let report = try await prediction(
      "--hit-rate", "0.25", "--prompt-tokens", "100", cache: cache)
    #expect(report["hit_rate_basis"] as? String == "user")
    #expect(abs(try number(report, "decode", "hit_rate") - 0.25) < 1e-6)
    #expect(report["prompt_tokens"] as? Int == 100)
    let better = try await prediction(
      "--hit-rate", "0.75", "--prompt-tokens", "100", cache: cache)
    #expect(
      try number(better, "decode", "tokens_per_second")
        > number(report, "decode", "tokens_per_second"))
  }

  @Test func replaysATraceAndNamesTheOptimum() async throws {
    let scratch = try Scratch()
    // 4 layers of 32 experts, 4 to a token, that wander slowly through all of them.
    var experts: [Int16] = []
    for token in 0..<200 {
      for layer in 0..<4 { experts += (0..<4).map { Int16((token / 3 + layer + 7 * $0) % 32) } }
    }
    let trace = try scratch.write(
      Data(NumpyArchive.experts(experts, shape: [200, 4, 4])), to: "trace.npz")
    let cache = scratch.url("cache").path
    let report = try await prediction("--trace", trace, cache: cache)
    #expect(report["hit_rate_basis"] as? String == "measured")
    let rate = try number(report, "decode", "hit_rate")
    #expect(rate > 0.3 && rate < 1)
    #expect(try number(report, "optimal_hit_rate") >= rate - 1e-9)
    let text = try await plan("--trace", trace, cache: cache).text
    #expect(text.contains("the optimum policy would give"))

    let other = try scratch.write(
      Data(NumpyArchive.experts([0, 1, 2, 3], shape: [1, 1, 4])), to: "other.npz")
    let refused = try await plan("--trace", other, cache: cache)
    #expect(refused.code == 1 && refused.errorLines.count == 1)
    #expect(refused.errors.contains("its layers with experts are 1, but the model's 4"))
  }

  /// The KV cache lends what a short sequence does not need of it, and takes it back.
  @Test func aLongSequenceLeavesTheExpertsFewerSlots() async throws {
    let scratch = try Scratch()
    var model = SyntheticModel(.qwen3moe)
    (model.layerCount, model.hiddenSize, model.headDimension) = (4, 256, 64)
    (model.keyValueHeadCount, model.contextLength) = (4, 16384)
    (model.expertCount, model.expertsPerToken, model.expertWidth) = (64, 4, 256)
    let file = scratch.url("model.gguf")
    try model.writeHeader(to: file)
    var generator = SeededGenerator(seed: 5)
    let experts = (0..<300 * model.layerCount).flatMap { _ in
      (0..<64).map(Int16.init).shuffled(using: &generator).prefix(model.expertsPerToken)
    }
    let trace = try scratch.write(
      Data(NumpyArchive.experts(experts, shape: [300, 4, 4])), to: "trace.npz")
    var rates: [Double] = []
    for position in [100, 16000] {
      let output = try await Program(
        [
          "plan", file.path, "--memory", "160M", "-c", "16384", "--trace", trace, "--json",
          "--prompt-tokens", "\(position)",
        ],
        environment: ["XDG_CACHE_HOME": scratch.url("cache").path]
      ).end()
      #expect(output.code == 0, "\(output.errors)")
      let report = try #require(try output.json()["prediction"] as? [String: Any])
      rates.append(try number(report, "decode", "hit_rate"))
    }
    // Even routing hits in proportion to the slots: 64 MiB of keys and values are some 80 of 256.
    #expect(rates[0] > rates[1] + 0.15, "\(rates)")
  }

  @Test(TrainedModel.needed) func namesTheNextSmallerFormat() async throws {
    let scratch = try Scratch()
    let output = try await Program(
      ["plan", TrainedModel.file("model-f16.gguf").path, "--memory", "64M", "--json"],
      environment: ["XDG_CACHE_HOME": scratch.url("cache").path]
    ).end()
    let report = try #require(try output.json()["prediction"] as? [String: Any])
    let advice = try #require(report["what_would_help"] as? [[String: Any]])
    #expect(advice.last?["change"] as? String == "weights in Q8_0")
    #expect(try number(#require(advice.last), "decode_tokens_per_second") > 0)
  }

  @Test func saysNothingOfSpeedWithoutAProbe() async throws {
    let scratch = try Scratch()
    let cache = scratch.url("cache").path
    let output = try await plan("--probe", "none", "--json", cache: cache)
    #expect(try output.json()["prediction"] == nil)
    #expect(!FileManager.default.fileExists(atPath: cache))
    let small = try await Program(
      ["plan", TrainedModel.path, "--memory", "5M", "--json"],
      environment: ["XDG_CACHE_HOME": cache]
    ).end()
    #expect(try small.json()["prediction"] == nil)
    #expect(!FileManager.default.fileExists(atPath: cache))
  }
}
