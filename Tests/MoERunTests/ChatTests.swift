import Foundation
import MoESynthetic
import MoETestSupport
import Testing

/// `moe-run chat`, by a program and by a person at a terminal.
@Suite struct ChatTests {
  private static let flags = [
    "chat", TrainedModel.path, "--chat-template", "chatml", "--temp", "0", "-n", "12", "-c", "512",
    "--expert-pool", "50%",
  ]

  private func lines(_ input: String, _ more: String...) async throws -> Program.Output {
    try await Program(Self.flags + more, input: input).end()
  }

  @Test func eachLineOfStandardInputIsAnswered() async throws {
    let both = try await lines("Once upon a time\nThe dog\n", "-q")
    #expect(both.code == 0 && both.errors.isEmpty)
    let first = try await lines("Once upon a time\n", "-q")
    #expect(!first.text.isEmpty && both.text.hasPrefix(first.text) && both.text != first.text)
    #expect(try await lines("", "-q").text.isEmpty)
  }

  @Test func messagesAndAnswersCanBeJSON() async throws {
    let conversation =
      #"[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Once upon"}]"#
    let output = try await lines(conversation + "\n", "--json", "-q")
    let answer = try output.json()
    #expect(answer["role"] as? String == "assistant")
    #expect((answer["content"] as? String)?.isEmpty == false)
    #expect(["stop", "length"].contains(answer["finish_reason"] as? String))
    for (input, wanted) in [
      ("{", "is no JSON"), (#"{"content": "x"}"#, "has no role"),
      (#"{"role": "user", "content": 7}"#, "neither a text nor a list"),
    ] {
      let refused = try await lines(input + "\n", "--json", "-q")
      #expect(refused.code == 1 && refused.errors.contains(wanted), "\(refused.errors)")
    }
  }

  @Test func templatesAndToolsThatCannotBeReadAreNamed() async throws {
    let scratch = try Scratch()
    let broken = try scratch.write(Data("{% for x in %}".utf8), to: "broken.jinja")
    let refusing = try scratch.write(
      Data("{{ raise_exception('Only even turns, please') }}".utf8), to: "refusing.jinja")
    for (arguments, wanted) in [
      (["--chat-template", broken], "line 1"), (["--chat-template", refusing], "Only even turns"),
      (["--chat-template", "/nonexistent"], "cannot be opened"),
      (["--tools", broken], "cannot be read"),
    ] {
      let program = try Program(
        ["chat", TrainedModel.path, "-n", "4"] + arguments, input: "Hello\n")
      let output = try await program.end()
      #expect(output.code == 1 && output.errors.contains(wanted), "\(output.errors)")
    }
    let plain = scratch.url("plain.gguf")
    try SyntheticModel(.olmoe).write(to: plain)
    let assumed = try await Program(["chat", plain.path, "-n", "2"], input: "Hi\n").end()
    #expect(assumed.errors.contains("has no chat template"))
  }

  @Test func aPersonTalksAtATerminal() async throws {
    let scratch = try Scratch()
    let saved = scratch.url("talk.json").path
    let terminal = try Terminal(Self.flags)
    try terminal.wait(for: "/help lists")
    try terminal.wait(for: "> ")
    terminal.type("/help\r")
    try terminal.wait(for: "takes back the last message")
    try terminal.wait(for: "> ")
    terminal.type("Once upon a\u{7F}\u{7F} time\r")
    try terminal.wait(for: "> ")
    terminal.type("/stats\r")
    try terminal.wait(for: "decode")
    terminal.type("/set temp 0.5\r/set temp much\r")
    try terminal.wait(for: "temp must be a number")
    terminal.type("/undo\r")
    try terminal.wait(for: "took back: \"Once upon time\"")
    terminal.type("/undo\r")
    try terminal.wait(for: "nothing to take back")
    terminal.type("/system Tell stories.\r/system\r")
    try terminal.wait(for: "Tell stories.\r\n")
    terminal.type("The 日本語 🐕 dog\r")
    try terminal.wait(for: "limit (-n)")
    terminal.type("/retry\r")
    try terminal.wait(for: "limit (-n)")
    terminal.type("/save \(saved)\r")
    try terminal.wait(for: "wrote")
    terminal.type("/clear\r/retry\r")
    try terminal.wait(for: "no answer yet")
    terminal.type("/load \(saved)\r/undo\r")
    try terminal.wait(for: "took back: \"The 日本語 🐕 dog\"")
    terminal.type("/nonsense\r")
    try terminal.wait(for: "no command")
    terminal.type("/quit\r")
    #expect(try terminal.end() == 0)
    let text = try String(contentsOfFile: saved, encoding: .utf8)
    #expect(text.contains("日本語 🐕") && text.contains("Tell stories."))
  }

  /// More than a line of a terminal holds, with line breaks and wide characters; another width in
  /// the middle of it.
  @Test func aLongPasteIsOneText() async throws {
    let scratch = try Scratch()
    let saved = scratch.url("talk.json").path
    let terminal = try Terminal(Self.flags + ["-c", "0"], columns: 40)
    try terminal.wait(for: "> ")
    let word = "dogs 犬 and cats\n"
    let paste = String(repeating: word, count: 10_000 / word.count)
    terminal.type("/system \u{1B}[200~" + paste + "\u{1B}[201~")
    terminal.resize(columns: 100)
    terminal.type("the end")
    try terminal.wait(for: "the end")
    // Taken back a character at a time, and typed again.
    terminal.type("\u{7F}\u{7F}\u{7F}end\r")
    try terminal.wait(for: "> ")
    terminal.type("/save \(saved)\r")
    try terminal.wait(for: "wrote")
    terminal.type("\u{4}")
    #expect(try terminal.end() == 0)
    let json = try JSONSerialization.jsonObject(
      with: Data(contentsOf: URL(fileURLWithPath: saved)))
    let messages = try #require(json as? [[String: Any]])
    #expect(messages.first?["content"] as? String == paste + "the end")
  }

  @Test func controlCStopsTheAnswerAndKeepsTheConversation() async throws {
    let terminal = try Terminal(
      ["chat", TrainedModel.path, "--chat-template", "chatml", "--temp", "1", "-c", "0"])
    try terminal.wait(for: "> ")
    terminal.type("Once upon a time\r")
    try terminal.wait(for: "time\r\n")
    usleep(200_000)
    terminal.type("\u{3}")
    try terminal.wait(for: "> ")
    terminal.type("/undo\r")
    try terminal.wait(for: "took back: \"Once upon a time\"")
    terminal.type("\u{3}")
    try terminal.wait(for: "once more")
    terminal.type("\u{3}")
    #expect(try terminal.end() == 0)
  }

  /// A conversation that outgrows its context loses its oldest turns, and goes on.
  @Test func aFullContextDropsTheOldestTurns() async throws {
    let line = String(repeating: "the dog saw the cat and ", count: 12)
    let program = try Program(
      [
        "chat", TrainedModel.path, "--chat-template", "chatml", "--temp", "0", "-n", "8", "-c",
        "256", "--system", "Be kind.",
      ], input: (line + "\n") + (line + "\n") + (line + "\n"))
    let output = try await program.end()
    #expect(output.code == 0, "\(output.errors)")
    #expect(output.errors.contains("the oldest turn is dropped"))
    let long = try await Program(
      ["chat", TrainedModel.path, "--chat-template", "chatml", "-c", "64", "-n", "4"],
      input: line + "\n"
    ).end()
    #expect(long.code == 1 && long.errors.contains("does not fit the context"))
  }
}
