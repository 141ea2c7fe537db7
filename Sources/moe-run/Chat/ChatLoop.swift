import MoECore
import MoERuntime
import MoETemplates

/// Takes messages and commands from a person or a program, and has the model answer.
final class ChatLoop {
  private enum Step {
    case goOn
    case end
  }

  private let conversation: Conversation
  private let input: any ChatInput
  private let hidesThinking: Bool
  private let writesJSON: Bool
  private let isQuiet: Bool
  private var answerCount: UInt64 = 0

  init(
    _ conversation: Conversation, input: any ChatInput, hidesThinking: Bool, writesJSON: Bool,
    isQuiet: Bool
  ) {
    self.conversation = conversation
    self.input = input
    self.hidesThinking = hidesThinking
    self.writesJSON = writesJSON
    self.isQuiet = isQuiet
  }

  /// Goes on until the input ends.
  func run() async throws {
    while let line = try input.next("> ") {
      if input.takesCommands, line.hasPrefix("/") {
        if case .end = try await command(line) { return }
        continue
      }
      if writesJSON {
        let messages = try ChatJSON.messages(line, of: "a line of standard input")
        for message in messages { conversation.add(message) }
        if ["user", "tool"].contains(messages.last?.role) { try await answer() }
      } else if !line.allSatisfy(\.isWhitespace) {
        conversation.add(ChatMessage(role: "user", text: line))
        try await answer()
      }
    }
  }

  /// Has the model answer, and where it calls tools, takes their results and has it go on.
  private func answer() async throws {
    while let calls = try await answerOnce(), !calls.isEmpty, !writesJSON {
      for call in calls {
        for problem in conversation.tools.problems(of: call) { note("\(call.name): \(problem)") }
        guard let result = try input.next("result of \(call.name.quotedForMessage)> ") else {
          return
        }
        conversation.add(
          ChatMessage(
            role: "tool", content: .text(result), toolCallID: call.id, name: call.name))
      }
    }
  }

  /// The calls of the answer; nil where there was none.
  private func answerOnce() async throws -> [Conversation.Call]? {
    var screen = ChatScreen(hidesThinking: hidesThinking)
    // Each answer has random numbers of its own, and a conversation the same ones every time.
    let seed = conversation.options.sampling.seed
    conversation.options.sampling.seed = seed.map { $0 &+ answerCount }
    defer { conversation.options.sampling.seed = seed }
    answerCount += 1
    do {
      let answer = try await conversation.answer { event in
        if !writesJSON { try screen.show(event) }
      }
      if writesJSON, let message = conversation.messages.last {
        try StandardOutput.write(ChatJSON.line(message, finish: answer.statistics.finish))
      } else {
        try screen.end()
      }
      if answer.unfinishedCall != nil { note("the answer ended inside a tool call") }
      if answer.statistics.finish == .length {
        note("the answer ended at its limit (-n), or the context is full (-c)")
      }
      return answer.calls
    } catch EngineError.contextExceeded(let tokenCount, let contextLength) {
      return try await makeRoom(tokenCount, contextLength)
    } catch EngineError.template(let text) {
      guard input.takesCommands else { throw Failure.runtime(text) }
      note(text)
      _ = conversation.undo()
      return nil
    }
  }

  /// The conversation is longer than the context: drops its oldest turn, if that is wanted.
  private func makeRoom(
    _ tokenCount: Int, _ contextLength: Int
  ) async throws -> [Conversation.Call]? {
    note("the conversation has \(tokenCount) tokens, but the context holds \(contextLength) (-c)")
    if input.takesCommands {
      let reply = try input.next("Enter drops the oldest turn, 'n' takes the message back> ")
      if reply != "" {
        _ = conversation.undo()
        return nil
      }
    }
    guard conversation.dropOldestTurn() else {
      _ = conversation.undo()
      throw Failure.runtime(
        "the last message alone does not fit the context; shorten it, or give a larger context "
          + "(-c)")
    }
    note("the oldest turn is dropped")
    return try await answerOnce()
  }

  private func note(_ text: String) {
    if !isQuiet { StandardError.write("moe-run: \(text)\n") }
  }

  private static let help = """
    /help               what can be said here
    /system TEXT        sets the system prompt; without a text shows it
    /undo               takes back the last message and its answer
    /retry, /regen      has the last message answered again
    /set NAME VALUE     temp, top-k, top-p, min-p, seed or n
    /save FILE          writes the conversation, as JSON
    /load FILE          goes on with one that was saved
    /clear              begins anew, with the same system prompt
    /stats              what the last answer cost
    /quit               ends, as Ctrl-D does
    A backslash at the end of a line, or Alt-Enter, goes on with another line. Ctrl-C stops an
    answer.

    """

  private func command(_ line: String) async throws -> Step {
    let words = line.dropFirst().split(separator: " ", maxSplits: 1)
    let rest = words.count > 1 ? String(words[1]) : ""
    do {
      switch words.first ?? "" {
      case "help": StandardError.write(Self.help)
      case "quit", "exit", "q": return .end
      case "system":
        if rest.isEmpty {
          StandardError.write((conversation.system ?? "(no system prompt)") + "\n")
        } else {
          conversation.system = rest
        }
      case "undo":
        let text = conversation.undo()
        note(text.map { "took back: \($0.quotedForMessage)" } ?? "there is nothing to take back")
      case "retry", "regen":
        if conversation.takeBackAnswer() {
          try await answer()
        } else {
          note("there is no answer yet")
        }
      case "clear": conversation.clear()
      case "stats":
        note(conversation.statistics.map { StatisticsLine.text($0) } ?? "there is no answer yet")
      case "set": try set(rest)
      case "save": try save(rest)
      case "load": conversation.load(try ChatJSON.messages(InputText.file(rest), of: "'\(rest)'"))
      default: note("there is no command \(line.quotedForMessage); /help lists them")
      }
    } catch Failure.runtime(let text) {
      note(text)
    } catch Failure.usage(let text) {
      note(text)
    }
    return .goOn
  }

  private func save(_ path: String) throws {
    let file = try ReportFile(path, flag: "/save")
    try file.write(ChatJSON.text(conversation.messages))
    note("wrote \(path)")
  }

  private func set(_ text: String) throws(Failure) {
    let words = text.split(separator: " ")
    guard words.count == 2 else { throw .usage("give a name and a value, such as /set temp 0.7") }
    let value = String(words[1])
    func number(_ range: ClosedRange<Float>) throws(Failure) -> Float {
      guard let number = Float(value), range.contains(number) else {
        throw .usage("\(words[0]) must be a number from \(range.lowerBound) to \(range.upperBound)")
      }
      return number
    }
    func integer(_ least: Int) throws(Failure) -> Int {
      guard let number = Int(value), number >= least else {
        throw .usage("\(words[0]) must be a whole number from \(least)")
      }
      return number
    }
    switch words[0] {
    case "temp": conversation.options.sampling.temperature = try number(0...100)
    case "top-k": conversation.options.sampling.topK = try integer(0)
    case "top-p": conversation.options.sampling.topP = try number(0...1)
    case "min-p": conversation.options.sampling.minP = try number(0...1)
    case "seed": conversation.options.sampling.seed = UInt64(try integer(0))
    case "n":
      let count = try integer(-1)
      conversation.options.tokenCountMax = count < 0 ? nil : count
    default: throw .usage("'\(words[0])' cannot be set; temp, top-k, top-p, min-p, seed and n can")
    }
  }
}
