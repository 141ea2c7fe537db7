import Foundation
import MoEAnalysis
import MoECore
import MoETestSupport
import Testing

@Suite struct TraceTests {
  /// A trace of a generation that the repository holds.
  static let committed = URL(fileURLWithPath: TrainedModel.path)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Traces/nano-moe-generated.moetrace").path

  @Test(arguments: ["record", "info", "convert", "stats"])
  func everySubcommandExplainsItself(_ name: String) async throws {
    let output = try await Program.run("trace", name, "--help")
    #expect(output.code == 0 && output.text.contains("USAGE: moe-run trace \(name)"))
    let group = try await Program.run("trace")
    #expect(group.code == 0 && group.text.contains("\n  \(name) "), "\(group.text)")
  }

  @Test func recordsTextsUnderTheNamesOfTheirFiles() async throws {
    let scratch = try Scratch()
    let text = String(repeating: "Once upon a time there was a little dog. ", count: 20)
    let story = try scratch.write(Data(text.utf8), to: "story.one.txt")
    let other = try scratch.write(Data("public func".utf8), to: "code")
    let trace = scratch.url("a.moetrace").path
    let output = try await Program.run(
      "trace", "record", TrainedModel.path, "--text", story, other, "-o", trace,
      "--sequence-length", "64", "--max-tokens", "150", "--memory", "64M")
    #expect(output.code == 0 && output.text.isEmpty, "\(output.errors)")
    #expect(output.errorLines.count == 1 && output.errors.contains("recorded 15"))
    let recorded = try RoutingTrace(contentsOf: trace)
    #expect(recorded.labels == ["story.one", "story.one", "story.one", "code"])
    #expect(recorded.sequenceStarts == [0, 64, 128, 150] && recorded.logits == nil)
    // A budget changes nothing, and flags may be repeated.
    let again = scratch.url("b.moetrace").path
    let quiet = try await Program.run(
      "trace", "record", TrainedModel.path, "--text", story, "--text", other, "-o", again, "-q",
      "--sequence-length", "64", "--max-tokens", "150", "--expert-pool", "20%", "--logits")
    #expect(quiet.code == 0 && quiet.errors.isEmpty, "\(quiet.errors)")
    var withLogits = try RoutingTrace(contentsOf: again)
    #expect(withLogits.logits?.count == recorded.tokenCount * 4 * 32)
    withLogits.logits = nil
    #expect(withLogits == recorded)
    #expect(scratch.names.allSatisfy { !$0.hasSuffix(".tmp") })
  }

  @Test func recordsWhatIsGenerated() async throws {
    let scratch = try Scratch()
    let trace = scratch.url("a.moetrace").path
    let output = try await Program.run(
      TrainedModel.path, "-p", "Once upon a time", "-n", "20", "--temp", "0", "--trace", trace,
      "--expert-pool", "30%", "-q")
    #expect(output.code == 0 && output.errors.isEmpty, "\(output.errors)")
    let info = try await Program.run("trace", "info", trace, "--json").json()
    #expect(info["prefill_tokens"] as? Int == 4 && info["decode_tokens"] as? Int == 19)
    #expect(info["passes"] as? Int == 20 && info["model"] as? String == "nano-moe")
    #expect(info["precision"] as? String == "Q8_0" && info["experts_per_token"] as? Int == 4)
    let texts = try #require(info["texts"] as? [[String: Any]])
    #expect(texts.count == 1 && texts[0]["label"] as? String == "generated")
  }

  @Test func showsWhatATraceIsOf() async throws {
    let output = try await Program.run("trace", "info", Self.committed)
    #expect(output.code == 0)
    for text in [
      "model     \"nano-moe\", \"Q8_0\", \"fnv1a-routers:", "4 of 32 experts in each of 4 layers",
      "266 in 1 sequences: 11 prefill, 255 decode, 256 passes",
      "holds     experts, weights, token ids, phases, passes, labels",
    ] { #expect(output.text.contains(text), "\(text): \(output.text)") }
  }

  @Test func showsHitRatesAndReuseAlikeForBothKindsOfFile() async throws {
    let scratch = try Scratch()
    let archive = scratch.url("a.npz").path
    let converted = try await Program.run("trace", "convert", Self.committed, archive)
    #expect(converted.code == 0 && converted.text.isEmpty && converted.errors.isEmpty)
    #expect(Set(scratch.names).isSuperset(of: ["a.npz", "a.json"]))
    let output = try await Program.run("trace", "stats", archive)
    let original = try await Program.run("trace", "stats", Self.committed)
    #expect(output.code == 0)
    #expect(
      output.text.split(separator: "\n").dropFirst()
        == original.text.split(separator: "\n").dropFirst())
    let trace = try RoutingTrace(contentsOf: Self.committed)
    let statistics = TraceStatistics(trace)
    let all = try #require(output.text.split(separator: "\n").first { $0.hasPrefix("    all") })
    #expect(
      all.split(separator: " ").dropFirst().map(String.init)
        == [
          statistics.leastRecentHitRate, statistics.optimalHitRate, statistics.previousTokenReuse,
          statistics.popularityReuse, statistics.entropy,
        ].map { String(format: "%.3f", $0) })
    let report = try await Program.run(
      "trace", "stats", archive, "--json", "--capacity", "16", "--lags", "3,500"
    ).json()
    #expect(report["capacity"] as? Int == 16)
    let larger = TraceStatistics(trace, capacity: 16)
    #expect(report["lru_hit_rate"] as? Double == larger.leastRecentHitRate)
    let overlap = try #require(report["overlap"] as? [[String: Any]])
    #expect(overlap[0]["reuse"] as? Double == TraceStatistics.reuse(trace, lag: 3))
    #expect(overlap[1]["reuse"] as? String == "nan")
    let back = scratch.url("b.moetrace").path
    _ = try await Program.run("trace", "convert", archive, back)
    #expect(
      try Data(contentsOf: URL(fileURLWithPath: back))
        == Data(contentsOf: URL(fileURLWithPath: Self.committed)))
  }

  @Test func aPlanTakesATrace() async throws {
    let scratch = try Scratch()
    let output = try await Program(
      [
        "plan", TrainedModel.path, "--memory", "64M", "--expert-pool", "40%", "--trace",
        Self.committed, "--json",
      ],
      environment: ["XDG_CACHE_HOME": scratch.url("cache").path]
    ).end()
    let prediction = try #require(try output.json()["prediction"] as? [String: Any])
    #expect(prediction["hit_rate_basis"] as? String == "measured", "\(output.errors)")
  }

  @Test func aFileThatWasCutEndsInOneSentenceEverywhere() async throws {
    let scratch = try Scratch()
    let bytes = try Data(contentsOf: URL(fileURLWithPath: Self.committed))
    for count in [4, 100, bytes.count / 2, bytes.count - 1] {
      let cut = try scratch.write(bytes.prefix(count), to: "cut.moetrace")
      for arguments in [["info", cut], ["stats", cut], ["convert", cut, cut + ".npz"]] {
        let output = try await Program(["trace"] + arguments).end()
        #expect(output.code == 1 && !output.wasKilled && output.errorLines.count == 1)
        #expect(output.errors.hasPrefix("moe-run: \(cut) cannot be used as a routing trace: "))
      }
    }
  }

  /// A limit on the size of files stands in for a disk that is full.
  @Test func aDiskThatIsFullIsAFailureThatLeavesNothing() async throws {
    let scratch = try Scratch()
    let text = try scratch.write(
      Data(String(repeating: "Once upon a time there was a dog. ", count: 60).utf8), to: "a.txt")
    let trace = scratch.url("a.moetrace").path
    let script = #"trap "" XFSZ; ulimit -f 100; exec "$@""#
    let output = try await Program(
      [
        "-c", script, "sh", Program.url.path, "trace", "record", TrainedModel.path, "--text", text,
        "-o", trace, "--logits",
      ],
      executable: URL(fileURLWithPath: "/bin/sh")
    ).end()
    #expect(output.code == 1 && output.errorLines.count == 1, "\(output.errors)")
    #expect(output.errors.contains("a.moetrace' cannot be written: File too large"))
    #expect(!scratch.names.contains { $0.hasPrefix("a.moetrace") })
  }
}
