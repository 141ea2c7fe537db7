#if Server
  import Foundation
  import Glibc
  import MoESynthetic
  import MoETestSupport
  import Testing

  /// `moe-run batch` as users run it.
  @Suite struct BatchCommandTests {
    private static let model = TrainedModel.path

    private let scratch: Scratch
    private var input: String { scratch.url("in.jsonl").path }
    private var output: String { scratch.url("out.jsonl").path }

    init() throws { scratch = try Scratch() }

    private func write(_ count: Int, tokenCount: Int = 6, prefix: String = "") throws {
      let lines = (0..<count).map { number in
        #"{"custom_id":"\#(number)","method":"POST","url":"/v1/completions","body":"#
          + #"{"prompt":"\#(prefix)The dog \#(number)","seed":\#(number),"#
          + #""max_tokens":\#(tokenCount),"ignore_eos":true}}"#
      }
      _ = try scratch.write(Data((lines.joined(separator: "\n") + "\n").utf8), to: "in.jsonl")
    }

    /// Texts by `custom_id`, each of which is there once; those in the order of the file.
    private func texts() throws -> (byID: [String: String], order: [String]) {
      var (byID, order): ([String: String], [String]) = ([:], [])
      let content = try String(contentsOfFile: output, encoding: .utf8)
      #expect(content.hasSuffix("\n"))
      for line in content.split(separator: "\n") {
        let json = try #require(
          try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        let id = try #require(json["custom_id"] as? String)
        let response = try #require(json["response"] as? [String: Any])
        #expect(response["status_code"] as? Int == 200)
        let body = try #require(response["body"] as? [String: Any])
        let choices = try #require(body["choices"] as? [[String: Any]])
        #expect(byID[id] == nil, "\(id) is there twice")
        byID[id] = try #require(choices.first?["text"] as? String)
        order.append(id)
      }
      return (byID, order)
    }

    /// Lines of the output, which may be being written.
    private var lineCount: Int {
      (try? Data(contentsOf: URL(filePath: output)))?.count { $0 == 0x0A } ?? 0
    }

    @Test func answersAllAndSaysSo() async throws {
      try write(7)
      let first = try await Program.run(
        "batch", Self.model, input, "-o", output, "--parallel", "3", "--ordered")
      #expect(first.code == 0, "\(first.errors)")
      #expect(first.text.isEmpty)
      #expect(first.errors.contains("batch 7 of 7 requests done, 7 now"), "\(first.errors)")
      let (texts, order) = try texts()
      #expect(order == (0..<7).map(String.init))
      // Nothing is left to do, and nothing is loaded for it.
      let again = try await Program.run(
        "batch", "-m", Self.model, input, "-o", output, "--parallel", "3")
      #expect(again.code == 0)
      #expect(again.errors.contains("batch 7 of 7 requests done, 0 now"), "\(again.errors)")
      #expect(try self.texts().byID == texts)
    }

    @Test func aloneOrTogetherTheTextsAreTheSame() async throws {
      try write(6, tokenCount: 20, prefix: "Once upon a time there was a little girl. ")
      var found: [[String: String]] = []
      for parallel in ["1", "4"] {
        let run = try await Program.run(
          "batch", Self.model, input, "-o", output, "-p", parallel, "-q", "--expert-pool", "40%")
        #expect(run.code == 0 && run.errors.isEmpty, "\(run.errors)")
        found.append(try texts().byID)
        try FileManager.default.removeItem(atPath: output)
      }
      #expect(found[0].count == 6 && found[0] == found[1])
    }

    @Test func choosesHowManyAtATimeItself() async throws {
      try write(3)
      let plan = try await Program.run("batch", Self.model, input, "-o", output, "--dry-run")
      #expect(plan.code == 0, "\(plan.errors)")
      #expect(plan.text.hasPrefix("requests  3 to be answered; 0 are, and 0 lines are no"))
      #expect(plan.text.contains("\nchosen    "))
      #expect(!FileManager.default.fileExists(atPath: output))
      let run = try await Program.run("batch", Self.model, input, "-o", output, "-c", "256")
      #expect(run.code == 0, "\(run.errors)")
      #expect(run.errors.contains("at a time, "), "\(run.errors)")
      #expect(try texts().order.count == 3)
    }

    /// Killed at any moment, or asked to end: the next run goes on, and all texts are those of a
    /// run that nobody disturbed.
    @Test(arguments: [SIGINT, SIGTERM, SIGKILL]) func goesOnAfterASignal(
      _ signal: Int32
    ) async throws {
      try write(40, tokenCount: 60)
      // Slow enough to be met in the middle; all of them alike, since levels differ in last bits.
      let slow = ["MOE_ISA": "scalar"]
      let arguments = ["batch", Self.model, input, "-o", output, "-p", "4"]
      let whole = try await Program(arguments + ["-q"], environment: slow).end()
      #expect(whole.code == 0, "\(whole.errors)")
      let wanted = try texts().byID
      try FileManager.default.removeItem(atPath: output)
      let program = try Program(arguments + ["-q"], environment: slow)
      while program.process.isRunning, lineCount < 5 { usleep(2_000) }
      kill(program.process.processIdentifier, signal)
      let ended = try await program.end()
      #expect(signal == SIGKILL ? ended.wasKilled : ended.code == 128 + signal, "\(ended.errors)")
      #expect(ended.errors.isEmpty)
      let run = try await Program(arguments, environment: slow).end()
      #expect(run.code == 0, "\(run.errors)")
      #expect(run.errors.contains("batch 40 of 40 requests done"))
      #expect(try texts().byID == wanted)
    }

    /// Arguments behind `batch`, exit code, and what the sentence must name.
    static let wrong: [([String], Int32, [String])] = [
      (["MODEL", "IN"], 64, ["--output"]),
      (["MODEL", "-o", "OUT"], 64, ["a file of requests"]),
      (["-o", "OUT"], 64, ["give a model"]),
      (["MODEL", "IN", "-o", "IN", "-p", "2"], 1, ["is the input"]),
      (["MODEL", "IN", "-o", "MODEL", "-p", "2"], 1, ["not the output of a batch"]),
      (["MODEL", "IN", "-o", "/nowhere/out", "-p", "2"], 1, ["/nowhere/out", "No such file"]),
      (["MODEL", "/nowhere/in", "-o", "OUT"], 1, ["/nowhere/in", "No such file"]),
      (["MODEL", "IN", "-o", "OUT", "-p", "0"], 64, ["-p", "1 to 256"]),
      (["MODEL", "IN", "-o", "OUT", "--probe", "none"], 64, ["--probe", "--parallel"]),
      (["/nowhere/a.gguf", "IN", "-o", "OUT", "-p", "2"], 1, ["/nowhere/a.gguf"]),
      (["MODEL", "IN", "-o", "OUT", "-p", "2", "--memory", "5M"], 1, ["5.0 MiB is too small"]),
    ]

    @Test(arguments: wrong) func refusesInASentence(
      _ arguments: [String], _ code: Int32, _ named: [String]
    ) async throws {
      try write(1)
      let names = ["MODEL": Self.model, "IN": input, "OUT": output]
      let before = try Data(contentsOf: URL(filePath: Self.model)).count
      let end = try await Program(["batch"] + arguments.map { names[$0] ?? $0 }).end()
      #expect(end.code == code && !end.wasKilled, "\(end.errors)")
      #expect(end.text.isEmpty)
      let last = try #require(end.errorLines.last)
      #expect(last.hasPrefix("moe-run: "))
      for name in named { #expect(last.contains(name), "\(end.errors)") }
      #expect(try Data(contentsOf: URL(filePath: Self.model)).count == before)
    }

    @Test func explainsItself() async throws {
      let output = try await Program.run("batch", "--help")
      #expect(output.code == 0)
      #expect(output.text.contains("USAGE: moe-run batch"))
      #expect(try await Program.run("help", "batch").text == output.text)
    }
  }
#endif
