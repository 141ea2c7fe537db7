import Foundation
import MoEAnalysis
import MoECore
import MoETestSupport
import Testing

/// What a report does with traces of next to nothing, with hostile names, and with damaged files.
@Suite struct RoutingReportEdgeTests {
  private struct Shape: CustomStringConvertible {
    var tokens: Int
    var layers: Int
    var experts: Int
    var perToken: Int

    var description: String {
      "\(tokens) tokens, \(layers) layers, \(perToken) of \(experts) experts"
    }
  }

  private static let shapes = [
    Shape(tokens: 1, layers: 2, experts: 4, perToken: 2),
    Shape(tokens: 40, layers: 1, experts: 8, perToken: 2),
    Shape(tokens: 40, layers: 2, experts: 1, perToken: 1),
    Shape(tokens: 1, layers: 1, experts: 1, perToken: 1),
    Shape(tokens: 5, layers: 1, experts: 3, perToken: 3),
    Shape(tokens: 40, layers: 2, experts: 300, perToken: 8),
  ]

  private static func trace(_ shape: Shape) -> RoutingTrace {
    var random = SeededGenerator(seed: 3)
    var experts: [Int32] = []
    for _ in 0..<shape.tokens * shape.layers {
      experts += (0..<Int32(shape.experts)).shuffled(using: &random).prefix(shape.perToken)
    }
    let metadata = RoutingTraceMetadata(
      expertCount: shape.experts, expertsPerToken: shape.perToken,
      layers: Array(0..<shape.layers))
    return RoutingTrace(metadata: metadata, experts: experts, sequenceStarts: [0])
  }

  private func page(
    _ arguments: [String], _ scratch: Scratch
  ) async throws -> (page: ReportPageReader, output: Program.Output) {
    let path = scratch.url("report.html").path
    let output = try await Program(["report"] + arguments + ["-o", path, "-q"]).end()
    try #require(output.code == 0 && output.errors.isEmpty, "\(output.errors)")
    return (try ReportPageReader(Data(contentsOf: URL(fileURLWithPath: path))), output)
  }

  @Test func smallTracesHaveReports() async throws {
    for shape in Self.shapes {
      for ending in ["moetrace", "npz"] {
        let scratch = try Scratch()
        let file = scratch.url("small.\(ending)").path
        try Self.trace(shape).write(to: file)
        let (page, output) = try await self.page(
          ["--trace", file, "--compare", file, "--expert-bytes", "1M"], scratch)
        #expect(page.sections.contains("method"), "\(shape)")
        let words = page.text.split { " \n;,()".contains($0) }
        #expect(!words.contains { ["nan", "-nan", "inf", "-inf"].contains($0) }, "\(shape)")
        let lines = output.text.split(separator: "\n")
        #expect(lines.count <= 40 && lines.allSatisfy { $0.count <= 80 }, "\(shape)")
      }
    }
  }

  @Test func namesThatWouldBeMarkupAreText() async throws {
    let scratch = try Scratch()
    let hostile = "<script>alert(1)</script>\"'&]]>\u{1}\u{1B}[31m\u{202E}\u{FFFE}&amp;"
    var trace = Self.trace(Shape(tokens: 60, layers: 2, experts: 8, perToken: 2))
    trace.metadata.model = hostile
    trace.metadata.quantization = "--><svg onload=alert(2)>"
    trace.labels = [hostile]
    let file = scratch.url("a'\"><img src=x>&.moetrace").path
    try trace.write(to: file)
    let (page, output) = try await self.page(["--trace", file], scratch)
    #expect(page.hasNoOutside && page.text.contains("<script>alert(1)</script>\"'&]]>"))
    #expect(page.text.contains("&amp;") && page.text.contains("<img src=x>"))
    #expect(!output.text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
    let compared = try await self.page(["--trace", file, "--compare", file], scratch).page
    #expect(compared.hasNoOutside)
  }

  @Test func manyLayersAndExpertsMakeNoLargePage() async throws {
    let scratch = try Scratch()
    let file = scratch.url("large.moetrace").path
    var trace = Self.trace(Shape(tokens: 60, layers: 96, experts: 700, perToken: 8))
    trace = RoutingTrace(
      metadata: trace.metadata, experts: trace.experts,
      sequenceStarts: Array(stride(from: 0, to: 60, by: 3)))
    trace.labels = (0..<20).map { "text \($0)" }
    try trace.write(to: file)
    let page = try await self.page(["--trace", file], scratch).page
    #expect(page.byteCount < 3 << 20, "\(page.byteCount)")
    #expect(page.text.contains("of 96 layers are drawn"))
    #expect(page.text.contains("too many experts to replay them in one pool"))
    #expect(page.text.contains("8 further labels have fewer tokens"))
  }

  @Test func damagedFilesEndInOneSentence() async throws {
    let scratch = try Scratch()
    var trace = Self.trace(Shape(tokens: 40, layers: 2, experts: 8, perToken: 2))
    trace.weights = Array(repeating: 0.5, count: trace.experts.count)
    trace.weights?[7] = .nan
    for ending in ["moetrace", "npz"] {
      let file = scratch.url("nan.\(ending)").path
      try trace.write(to: file)
      try await expectRefusal(["--trace", file], "which is no weight of an expert")
    }
    trace.weights = nil
    for ending in ["moetrace", "npz"] {
      let file = scratch.url("whole.\(ending)").path
      try trace.write(to: file)
      let bytes = try Data(contentsOf: URL(fileURLWithPath: file))
      for count in [0, 4, bytes.count / 2, bytes.count - 1] {
        let cut = try scratch.write(bytes.prefix(count), to: "cut.\(ending)")
        try await expectRefusal(["--trace", cut], "cannot be used as a routing trace")
        guard count == 4 else { continue }
        try await expectRefusal(
          ["--trace", RoutingReportTests.texts, "--compare", cut],
          "cannot be used as a routing trace")
      }
    }
    try await expectRefusal(["--trace", scratch.url("none.moetrace").path], "No such file")
    let text = try scratch.write(Data("a".utf8), to: "frontier.json")
    try await expectRefusal(
      ["--trace", RoutingReportTests.texts, "--frontier", text], "it is not a JSON object")
    let empty = try scratch.write(Data(), to: "empty.txt")
    try await expectRefusal([TrainedModel.path, "--text", empty], "the text has 0 tokens")
    // A trace of another model.
    try await expectRefusal(
      [TrainedModel.path, "--trace", scratch.url("whole.moetrace").path],
      "experts are 2, but the model's 4")
    try await expectRefusal(
      [TrainedModel.path, "--trace", RoutingReportTests.texts, "--memory", "1M"],
      "none of the memories of --memory is large enough")
    try await expectRefusal(
      ["--trace", RoutingReportTests.texts, "-o", scratch.url("no/such.html").path],
      "cannot be written: No such file")
  }

  private func expectRefusal(_ arguments: [String], _ problem: String) async throws {
    let output = try await Program(
      ["report"] + arguments, environment: RoutingReportTests.environment
    ).end()
    #expect(output.code == 1 && !output.wasKilled, "\(arguments): \(output.code)")
    #expect(output.errorLines.count == 1 && output.text.isEmpty, "\(output.errors)")
    #expect(output.errors.contains(problem), "\(problem): \(output.errors)")
  }

  @Test(
    arguments: [
      ([], "give a model (moe-run report MODEL.gguf --text FILE) or --trace FILE"),
      (["MODEL"], "give texts that the model reads"),
      (["MODEL", "-m", "b.gguf"], "give one model, not 2"),
      (["--trace", "a", "--text", "b"], "--text has no meaning with --trace"),
      (["--trace", "a", "--measure"], "--measure needs a model"),
      (["--trace", "a", "--compare", "b.gguf"], "give texts that the model reads"),
      (["MODEL", "--text", "a", "--expert-bytes", "1M"], "--expert-bytes is for a trace"),
      (["--trace", "a", "--expert-bytes", "0"], "give a size from 1 to 1T"),
      (["--trace", "a", "--disks", "0"], "give a number above 0"),
      (["--trace", "a", "--memory", "x"], "give a size such as 8G"),
      (["--trace", "a", "--probe", "none"], "give one of fresh, cached"),
    ] as [([String], String)])
  func wrongUsageEndsInOneSentence(_ arguments: [String], _ problem: String) async throws {
    let arguments = arguments.map { $0 == "MODEL" ? TrainedModel.path : $0 }
    let output = try await Program(["report"] + arguments).end()
    #expect(output.code == 64 && output.text.isEmpty, "\(output.code): \(output.errors)")
    #expect(output.errors.contains(problem), "\(output.errors)")
  }
}
