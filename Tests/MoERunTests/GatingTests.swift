import Foundation
import MoEAnalysis
import MoETestSupport
import Testing

/// `--gating` and `moe-run frontier`, as users run them.
@Suite struct GatingTests {
  private static let model = TrainedModel.path
  private static let text = """
    Once upon a time there was a little dog named Max. Max loved to play in the garden. One day \
    he found a big red ball under a tree. He ran to his friend and said, "Look what I found!" \
    They played all day long and were very happy.
    """

  private func run(_ arguments: String...) async throws -> Program.Output {
    let output = try await Program(arguments).end()
    #expect(output.code == 0, "\(output.errors)")
    return output
  }

  private func story(_ scratch: Scratch) throws -> String {
    try scratch.write(Data(Self.text.utf8), to: "story.txt")
  }

  @Test func aGenerationSaysItsGating() async throws {
    let scratch = try Scratch()
    let stats = scratch.url("stats.json").path
    let arguments = [Self.model, "-p", "import Foundation", "--temp", "0", "-n", "12"]
    let plain = try await Program(arguments).end()
    let gated = try await Program(arguments + ["--gating", "top-k:1", "--stats-json", stats]).end()
    #expect(gated.code == 0 && gated.text != plain.text)
    #expect(gated.errors.hasSuffix(" | gating top-k:1, 1.00 experts per token\n"))
    #expect(!plain.errors.contains("gating"))
    let report = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: scratch.url("stats.json")))
        as? [String: Any])
    #expect(report["gating"] as? String == "top-k:1")
    #expect(report["decode_experts_per_token"] as? Double == 1)
    #expect(report["prefill_experts_per_token"] as? Double == 1)
    let off = try await Program(arguments + ["--gating", "off"]).end()
    #expect(off.text == plain.text)
  }

  @Test func perplexityAndBenchTakeAGating() async throws {
    let plain = try await run("perplexity", Self.model, "-p", Self.text, "--json").json()
    #expect(plain["gating"] == nil && plain["experts_per_token"] == nil)
    let gated = try await run(
      "perplexity", Self.model, "-p", Self.text, "--json", "--gating", "threshold:0.5"
    ).json()
    #expect(gated["gating"] as? String == "threshold:0.5")
    let count = try #require(gated["experts_per_token"] as? Double)
    #expect(count > 1 && count < 4)
    let change = try #require(gated["perplexity"] as? Double)
    #expect(change != plain["perplexity"] as? Double)
    let line = try await run("perplexity", Self.model, "-p", Self.text, "--gating", "top-k:2")
    #expect(line.text.hasSuffix(", gating top-k:2, 2.00 experts per token\n"), "\(line.text)")

    let scratch = try Scratch()
    let json = scratch.url("bench.json").path
    let table = try await run(
      "bench", Self.model, "-p", "8", "-n", "4", "-r", "1", "--gating", "top-k:3", "--json", json,
      "-q")
    #expect(table.text.contains("experts/token") && table.text.contains("3.00"))
    let report = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: scratch.url("bench.json")))
        as? [String: Any])
    #expect(report["gating"] as? String == "top-k:3")
    let rows = try #require(report["rows"] as? [[String: Any]])
    #expect(rows.count == 2 && rows.allSatisfy { $0["experts_per_token"] as? Double == 3 })
  }

  @Test func aFrontierIsATableAndAFile() async throws {
    let scratch = try Scratch()
    let path = scratch.url("frontier.json").path
    let output = try await run(
      "frontier", Self.model, "--text", try story(scratch), "--gating", "top-k:2", "--gating",
      "miss-skip:0.5", "--gating", "off", "--decode-tokens", "16", "-r", "1", "-c", "64", "-o",
      path)
    #expect(output.errors.isEmpty)
    let lines = output.text.split(separator: "\n")
    #expect(lines.count == 5 && lines[0].contains("perplexity") && lines[1].contains("off"))
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let frontier = try decoder.decode(
      GatingFrontier.self, from: Data(contentsOf: scratch.url("frontier.json")))
    #expect(frontier.points.map(\.gating) == ["off", "top-k:2", "miss-skip:0.5"])
    #expect(frontier.model == "nano-moe" && frontier.texts == ["story.txt"])
    #expect(frontier.memory == "25% of experts" && frontier.scoredTokenCount > 40)
    let (off, fewer, skipping) = (frontier.points[0], frontier.points[1], frontier.points[2])
    #expect(off.meanExpertCount == 4 && fewer.meanExpertCount == 2)
    #expect(skipping.meanExpertCount < 4 && skipping.meanExpertCount >= 1)
    #expect(off.perplexity < fewer.perplexity && off.perplexity != skipping.perplexity)
    #expect(off.readBytesPerToken > fewer.readBytesPerToken)
    #expect(off.readBytesPerToken > skipping.readBytesPerToken)
    #expect(frontier.points.allSatisfy { $0.tokensPerSecond > 0 })
    // The perplexity is the one that `perplexity` gives.
    let alone = try await run(
      "perplexity", Self.model, "-f", scratch.url("story.txt").path, "-c", "64", "--json",
      "--gating", "top-k:2"
    ).json()
    let expected = try #require(alone["perplexity"] as? Double)
    #expect(abs(fewer.perplexity / expected - 1) < 1e-9)
  }

  @Test func theFastestWithinABoundIsChosenAndSaid() async throws {
    let scratch = try Scratch()
    let text = try story(scratch)
    let arguments = [
      Self.model, "-p", "Once upon a time", "--temp", "0", "-n", "12", "--expert-pool", "25%",
      // One way to read for both runs, whatever others on this machine left of the ring's memory.
      "--placement", "offloaded", "--store", "pread", "--calibration", text,
    ]
    let environment = ["XDG_CACHE_HOME": scratch.url("cache").path]
    let output = try await Program(
      arguments + ["--gating", "auto:30%"], environment: environment
    ).end()
    #expect(output.code == 0, "\(output.errors)")
    let line = try #require(output.errorLines.first { $0.hasPrefix("gating ") })
    // What was measured is kept.
    let again = try await Program(
      arguments + ["--gating", "auto:30%"], environment: environment
    ).end()
    let kept = try #require(again.errorLines.first { $0.hasPrefix("gating ") })
    #expect(kept == line.dropLast() + "; measured before)")
    #expect(line.contains("within 30.00 % of perplexity on the calibration text"))
    let name = String(line.dropFirst("gating ".count).prefix { $0 != " " }.dropLast())
    // Named, it gives the same text, where it does not depend on what is in memory.
    if !name.hasPrefix("cache-prior") && !name.hasPrefix("miss-skip") {
      let named = try await Program(arguments.dropLast(2) + ["--gating", name]).end()
      #expect(named.text == output.text, "\(name)")
    }
  }
}
