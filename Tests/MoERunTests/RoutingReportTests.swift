import Foundation
import MoEAnalysis
import MoECore
import MoETestSupport
import Testing

/// `moe-run report` from end to end: the page, the text, the figures.
///
/// One after the other, since they share a measurement of the machine.
@Suite(.serialized) struct RoutingReportTests {
  private static let traces = URL(fileURLWithPath: TrainedModel.path)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Traces")
  static let texts = traces.appending(path: "nano-moe-texts.moetrace").path

  /// Where the machine's figures are kept for these tests: one measurement serves all of them.
  static let environment = [
    "XDG_CACHE_HOME": FileManager.default.temporaryDirectory.appending(path: "moe-run-tests-cache")
      .path
  ]

  /// Runs a report with a page.
  private func report(
    _ arguments: String..., scratch: Scratch
  ) async throws -> (output: Program.Output, page: ReportPageReader) {
    let page = scratch.url("report.html").path
    let output = try await Program(
      ["report"] + arguments + ["-o", page, "-q"],
      environment: Self.environment.merging(["TMPDIR": scratch.url("").path]) { $1 }
    ).end()
    try #require(output.code == 0, "\(output.errors)")
    #expect(output.errors.isEmpty)
    return (output, try ReportPageReader(Data(contentsOf: URL(fileURLWithPath: page))))
  }

  @Test func aTraceAloneHasAPageOfAllSections() async throws {
    let scratch = try Scratch()
    let (output, page) = try await report("--trace", Self.texts, scratch: scratch)
    #expect(
      page.sections == [
        "consistency", "memory", "caching", "use", "reuse", "ahead", "prompt", "method",
      ])
    // Two of consistency, one of memory, caching and prompts, one map for each of 4 layers, two of
    // reuse, one of prediction.
    #expect(page.drawings.count == 12 && page.drawings.allSatisfy { !$0.isEmpty })
    #expect(page.hasNoOutside && page.byteCount < 400_000)
    for word in ["story", "german", "optimum", " (engine's)", "published decoders"] {
      #expect(page.text.contains(word), "\(word)")
    }
    try Self.expectOneScreen(output.text)
    #expect(output.text.contains("hit rate by experts in memory"))
  }

  private static func expectOneScreen(_ text: String) throws {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.last == "" && lines.count - 1 <= 40, "\(lines.count) lines:\n\(text)")
    #expect(lines.allSatisfy { $0.count <= 80 }, "\(text)")
  }

  @Test func aModelReadsTextsAndSaysHowFastItIs() async throws {
    let scratch = try Scratch()
    let story = Self.traces.appending(path: "texts/story.txt").path
    let code = Self.traces.appending(path: "texts/code.txt").path
    let (output, page) = try await report(
      TrainedModel.path, "--text", story, "--text", code, "--max-tokens", "200",
      "--sequence-length", "100", scratch: scratch)
    #expect(page.sections.first == "speed" && page.sections.contains("parameters"))
    #expect(page.text.contains("Order of magnitude only"))
    // The products of this model are too small for the performance model.
    #expect(page.text.contains("No speed is predicted") && !page.text.contains("this disk, "))
    try Self.expectOneScreen(output.text)
    #expect(output.text.contains("No speed is predicted"))
    #expect(!output.text.contains("tokens per second predicted"))
    #expect(
      !scratch.names.contains { $0.hasPrefix("moe-run-report-") }, "the recording is gone")
  }

  /// The table's predictions are those of `plan`, and its hit rates those of its replay.
  @Test func theTableSaysWhatAPlanSays() async throws {
    let json = try await Program(
      [
        "report", TrainedModel.path, "--trace", Self.texts, "--memory", "64M", "--expert-pool",
        "40%", "--disks", "2", "--json", "-q",
      ], environment: Self.environment
    ).end().json()
    let side = try #require((json["reports"] as? [[String: Any]])?.first)
    let speed = try #require(side["speed"] as? [String: Any])
    let rows = try #require(speed["rows"] as? [[String: Any]])
    #expect(rows.count == 1 && speed["basis"] as? String == "model")
    #expect(speed["prediction_holds"] as? Bool == false)
    #expect((speed["disks"] as? [[String: Any]])?.count == 2)
    let plan = try await Program(
      [
        "plan", TrainedModel.path, "--trace", Self.texts, "--memory", "64M", "--expert-pool",
        "40%", "-c", "512", "--prompt-tokens", "128", "--json",
      ], environment: Self.environment
    ).end().json()
    let prediction = try #require(plan["prediction"] as? [String: Any])
    let decode = try #require(prediction["decode"] as? [String: Any])
    #expect(rows[0]["memory_bytes"] as? Int == plan["budget_bytes"] as? Int)
    // A pool with a size of its own borrows nothing.
    #expect(rows[0]["slots"] as? Int == plan["pool_slots"] as? Int)
    #expect(rows[0]["hit_rate"] as? Double == decode["hit_rate"] as? Double)
    let reported = try #require((rows[0]["tokens_per_second"] as? [Double])?.first)
    let planned = try #require(decode["tokens_per_second"] as? Double)
    // The plan measures again where its budget asks for another buffer.
    #expect(reported > planned / 8 && reported < planned * 8)
    let parameters = try #require(side["parameters"] as? [String: Any])
    #expect((parameters["limits"] as? String)?.contains("2202.01169") == true)
  }

  @Test func measuredSpeedStandsBesideThePredicted() async throws {
    let scratch = try Scratch()
    let (output, page) = try await report(
      TrainedModel.path, "--trace", Self.texts, "--memory", "40M,64M", "--measure",
      scratch: scratch)
    #expect(page.text.contains("measured here") && output.text.contains("measured"))
    #expect(!page.text.contains("not measured") && !page.text.contains("error"))
    try Self.expectOneScreen(output.text)
  }

  @Test func theSizeOfAnExpertGivesWhatADiskAllows() async throws {
    let scratch = try Scratch()
    let (output, page) = try await report(
      "--trace", Self.texts, "--expert-bytes", "51K", "--disks", "1", scratch: scratch)
    #expect(page.sections.first == "speed" && page.text.contains("no limit"))
    #expect(output.text.contains("at most, by the disk alone"))
    try Self.expectOneScreen(output.text)
  }

  @Test func twoAreComparedSideBySide() async throws {
    let scratch = try Scratch()
    let generated = Self.traces.appending(path: "nano-moe-generated.moetrace").path
    let (output, page) = try await report(
      "--trace", Self.texts, "--compare", generated, scratch: scratch)
    #expect(page.sections.first == "compared")
    // Both are of one model, so files tell them apart.
    #expect(page.text.contains("A: \(Self.texts)") && page.text.contains("B: \(generated)"))
    try Self.expectOneScreen(output.text)
    #expect(output.text.contains("SRP, 16 tokens"))
    let json = try await Program.run(
      "report", "--trace", Self.texts, "--compare", generated, "--json", "-q"
    ).json()
    #expect((json["reports"] as? [[String: Any]])?.count == 2)
  }

  @Test func theFrontierOfGatingHasASection() async throws {
    let scratch = try Scratch()
    let frontier = #"""
      {"model": "<b>nano</b>", "texts": ["a&b"], "scored_token_count": 500, "memory": "25%",
       "points": [
         {"gating": "off", "mean_expert_count": 4, "perplexity": 9.25, "read_bytes_per_token": 1e5,
          "tokens_per_second": 321.5},
         {"gating": "top-p 0.8", "mean_expert_count": 2.5, "perplexity": 9.75,
          "read_bytes_per_token": 6e4, "tokens_per_second": 402}]}
      """#
    let file = try scratch.write(Data(frontier.utf8), to: "frontier.json")
    let (output, page) = try await report(
      "--trace", Self.texts, "--frontier", file, scratch: scratch)
    #expect(page.sections.contains("gating") && page.text.contains("<b>nano</b>"))
    #expect(page.text.contains("top-p 0.8") && page.text.contains("9.750"))
    #expect(output.text.contains("Gating: from 4.00 to 2.50 experts per token"))
    try Self.expectOneScreen(output.text)
  }

  /// Two runs of the same give the same page.
  @Test func aReportIsTheSameEachTime() async throws {
    let scratch = try Scratch()
    var pages: [Data] = []
    for _ in 0..<2 {
      _ = try await report("--trace", Self.texts, scratch: scratch)
      pages.append(try Data(contentsOf: scratch.url("report.html")))
    }
    #expect(pages[0] == pages[1])
  }
}
