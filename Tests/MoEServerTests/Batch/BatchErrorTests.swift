import Foundation
import MoECore
import MoEServer
import MoETestSupport
import Testing

/// What is wrong with lines, requests and files of a batch.
@Suite struct BatchErrorTests {
  private static let good = BatchFolder.chat("good", "Why?")

  private static func folder(_ input: String) throws -> BatchFolder {
    var folder = try BatchFolder(input)
    let source = ScriptedSource("Yes")
    folder.hooks.textSource = { _ in source }
    return folder
  }

  private static let body = #""body":{"messages":[{"role":"user","content":"x"}]}"#
  private static let chat = #""url":"/v1/chat/completions""#

  /// Lines that are no requests, and the codes of what is said of them.
  static let wrong: [(String, String)] = [
    ("no", "invalid_json_line"), ("[1]", "invalid_json_line"), ("{", "invalid_json_line"),
    (#"{"a":1}{"b":2}"#, "invalid_json_line"), ("{\"a\":\"\u{0}\"}", "invalid_json_line"),
    (String(repeating: "[", count: 5000), "invalid_json_line"),
    ("{\(chat),\(body)}", "missing_custom_id"),
    (#"{"custom_id":"",\#(chat),\#(body)}"#, "missing_custom_id"),
    (#"{"custom_id":7,\#(chat),\#(body)}"#, "missing_custom_id"),
    (
      #"{"custom_id":"\#(String(repeating: "a", count: 1025))",\#(chat),\#(body)}"#,
      "invalid_custom_id"
    ),
    (#"{"custom_id":"a","method":"GET",\#(chat),\#(body)}"#, "invalid_method"),
    (#"{"custom_id":"a",\#(body)}"#, "invalid_url"),
    (#"{"custom_id":"a","url":"/v1/embeddings",\#(body)}"#, "invalid_url"),
    (#"{"custom_id":"a","url":"/health",\#(body)}"#, "invalid_url"),
    (#"{"custom_id":"a",\#(chat)}"#, "missing_body"),
    (#"{"custom_id":"a",\#(chat),"body":[]}"#, "missing_body"),
    (good.jsonText, "duplicate_custom_id"),
  ]

  @Test(arguments: wrong) func aBadLineIsNamedAndTheOthersGoOn(
    _ line: String, _ code: String
  ) async throws {
    let folder = try Self.folder(Self.good.jsonText + "\n\n" + line + "\n")
    let progress = try await folder.run()
    #expect(progress.totalCount == 2 && progress.doneCount == 2 && progress.errorCount == 1)
    let lines = try folder.lines
    #expect(lines.count == 2)
    let refused = try #require(lines.first { $0["response"] == .null })
    #expect(refused["error", "code"]?.string == code)
    #expect(refused["error", "line"] == 3)
    #expect(refused["error", "message"]?.string?.hasPrefix("line 3 ") == true)
    #expect(lines.contains { $0["custom_id"] == "good" && $0["response", "status_code"] == 200 })
    // It is said once, however often the batch is run.
    try await folder.run()
    #expect(try folder.lines == lines)
    // Once the line is mended it is a request.
    let mended = BatchFolder.chat("mended", "Why?").jsonText
    try folder.write(Self.good.jsonText + "\n\n" + mended + "\n")
    let again = try await folder.run()
    #expect(again.doneBeforeCount == 1 && again.doneCount == 2)
  }

  @Test func aLineThatIsTooLongIsNotRead() async throws {
    let long = Self.good.with("x", .string(String(repeating: "a", count: Batch.lineByteCountMax)))
    let folder = try Self.folder(long.jsonText + "\n" + Self.good.jsonText)
    #expect(try await folder.run().errorCount == 1)
    let refused = try #require(try folder.lines.first)
    #expect(refused["error", "code"] == "line_too_long")
    #expect(try folder.lines.count == 2)
  }

  @Test func lineBreaksOfAllKindsAndAByteOrderMarkAreRead() async throws {
    let others = (0..<3).map { BatchFolder.chat("\($0)", "Why?").jsonText }
    let folder = try Self.folder(
      "\u{FEFF}" + others[0] + "\r\n\r\n" + others[1] + "\n  \n" + others[2])
    #expect(try await folder.run().errorCount == 0)
    #expect(try Set(folder.answers.keys) == ["0", "1", "2"])
  }

  /// Names are bytes: what looks alike is not the same.
  @Test func namesThatLookAlikeAreTwo() async throws {
    let names = ["caf\u{E9}", "cafe\u{301}"]
    let folder = try Self.folder(
      names.map { BatchFolder.chat($0, "Why?").jsonText + "\n" }.joined())
    #expect(try await folder.run().errorCount == 0)
    #expect(try folder.lines.count == 2)
  }

  @Test(
    arguments: [
      ("/v1/chat/completions", ["messages": []], "messages"),
      ("/v1/chat/completions", chatRequest.with("stream", true), "stream"),
      ("/v1/chat/completions", chatRequest.with("temperature", "hot"), "temperature"),
      ("/v1/chat/completions", chatRequest.with("audio", "x"), "audio"),
      ("/v1/completions", [:], "prompt"),
      ("/v1/messages", chatRequest, "max_tokens"),
    ] as [(String, JSON, String)]) func aBadRequestHasItsStatus(
      _ url: String, _ body: JSON, _ parameter: String
    ) async throws
  {
    let request = BatchFolder.request("bad", url: url, body: body)
    let folder = try Self.folder(request.jsonText + "\n" + Self.good.jsonText)
    let progress = try await folder.run()
    #expect(progress.doneCount == 2 && progress.errorCount == 1)
    let answer = try #require(try folder.answers["bad"])
    #expect(answer["error"] == .null && answer["response", "status_code"] == 400)
    #expect(answer["response", "body", "error", "param"]?.string == parameter)
    #expect((answer["response", "body", "type"] == "error") == (url == "/v1/messages"))
    let text = try folder.outputText
    #expect(try await folder.run().doneBeforeCount == 2)
    #expect(try folder.outputText == text)
  }

  @Test func aPromptThatIsTooLongIsNamedWithBothCounts() async throws {
    let long = BatchFolder.chat("long", String(repeating: "dog ", count: 2000))
    let folder = try Self.folder(long.jsonText)
    try await folder.run()
    let error = try folder.answers["long"]?["response", "body", "error"]
    #expect(error?["type"] == "exceed_context_size_error")
    #expect(error?["n_ctx"]?.integer == TestServer.contextLength)
  }

  @Test(arguments: [
    "My own notes\n", "{}\n", "{\"id\":\"batch_req_1\"}\n", "notes without a line break",
    good.jsonText + "\n", "{\"id\":\"batch_req_1\",\"custom_id\":\"a\"}\n{\"id\":\"batch",
  ]) func aFileThatIsNoOutputIsLeftAlone(_ text: String) throws {
    let folder = try Self.folder(Self.good.jsonText)
    try folder.writeOutput(text)
    for writes in [true, false] {
      let failure = #expect(throws: BatchError.self) { _ = try folder.batch(writes: writes) }
      #expect(failure?.description.contains("is not the output of a batch") == true)
    }
    #expect(try folder.outputText == text)
  }

  @Test func filesThatCannotBeAreNamed() throws {
    let folder = try Self.folder(Self.good.jsonText)
    var options = BatchOptions(inputPath: folder.inputPath, outputPath: folder.inputPath)
    func failure(_ options: BatchOptions) -> String {
      do {
        _ = try Batch(options, logger: TestLog().logger)
        return "none"
      } catch {
        return error.description
      }
    }
    #expect(failure(options).contains("is the input"))
    options.outputPath = "/nowhere/out.jsonl"
    #expect(failure(options).contains("'/nowhere/out.jsonl': No such file"))
    options = BatchOptions(inputPath: "/nowhere/in", outputPath: folder.outputPath)
    #expect(failure(options).contains("'/nowhere/in': No such file"))
    options.inputPath = "/dev/null"
    #expect(failure(options).contains("it is a device"))
    options = BatchOptions(inputPath: folder.inputPath, outputPath: "/dev/null")
    #expect(failure(options).contains("it is a device"))
    let first = try folder.batch()
    #expect(
      failure(BatchOptions(inputPath: folder.inputPath, outputPath: folder.outputPath))
        .contains("is written by another run"))
    withExtendedLifetime(first) {}
  }

  @Test func aDryRunWritesNothing() async throws {
    let folder = try Self.folder(Self.good.jsonText + "\nno\n")
    let batch = try folder.batch(writes: false)
    #expect(await batch.waitingCount == 1)
    #expect(await batch.refusedCount == 1)
    #expect(!FileManager.default.fileExists(atPath: folder.outputPath))
  }

  @Test func anInputThatChangesIsNoticed() async throws {
    let folder = try Self.folder(Self.good.jsonText)
    let batch = try folder.batch()
    try folder.write(BatchFolder.chat("other", "What?").jsonText + "  ")
    let engine = try await TestServer.sharedEngine
    let failure = await #expect(throws: BatchError.self) {
      _ = try await batch.run(on: engine, parallelCount: 1)
    }
    #expect(failure?.description.contains("has changed while") == true)
  }

  /// Whatever stands in the files: it throws what it says, or works.
  @Test(arguments: Fuzz.seeds(4000, iterationsPerRun: 100))
  func damagedFilesEndInSentencesFuzz(_ seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    let requests = (0..<3).map { BatchFolder.chat("\($0)", "Why?").jsonText }
    var input = Array((requests.joined(separator: "\n") + "\n").utf8)
    let folder = try Self.folder(String(decoding: input, as: UTF8.self))
    try await folder.run()
    var output = Array(try folder.outputText.utf8)
    for _ in 0..<Int.random(in: 0...3, using: &random) {
      input[Int.random(in: input.indices, using: &random)] = UInt8.random(
        in: 0...255, using: &random)
    }
    for _ in 0..<Int.random(in: 0...2, using: &random) {
      output[Int.random(in: output.indices, using: &random)] = UInt8.random(
        in: 0...255, using: &random)
    }
    output.removeLast(Int.random(in: 0...output.count, using: &random))
    try Data(input).write(to: URL(filePath: folder.inputPath))
    try Data(output).write(to: URL(filePath: folder.outputPath))
    do {
      let progress = try await folder.run()
      #expect(progress.doneCount == progress.totalCount, "seed \(seed)")
      #expect(try folder.lines.count >= progress.totalCount, "seed \(seed)")
    } catch let error as BatchError {
      #expect(!error.description.isEmpty, "seed \(seed)")
      #expect(try Data(contentsOf: URL(filePath: folder.outputPath)) == Data(output))
    }
  }
}
