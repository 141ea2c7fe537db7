import Glibc
import MoECore
import MoERuntime
import MoETemplates
import MoETestSupport
import MoETokenizer
import Synchronization
import Testing

/// Sessions compute only what is new, and say the same as a text that is read anew.
@Suite struct SessionTests {
  private static func options(_ count: Int) -> GenerationOptions {
    var options = GenerationOptions()
    options.tokenCountMax = count
    options.sampling = .greedy
    return options
  }

  private static func engine(
    _ change: (inout EngineOptions) -> Void = { _ in }
  ) async throws
    -> Engine
  {
    var options = EngineOptions()
    options.contextLength = 512
    options.expertPool = .fraction(0.5)
    options.placement = .offloaded
    change(&options)
    return try await Engine(modelAt: TrainedModel.path, options: options)
  }

  private static func run(
    _ generation: Generation
  ) async throws -> (text: String, statistics: GenerationStatistics) {
    var text = ""
    for try await token in generation { text += token.text }
    return (text, try #require(generation.statistics))
  }

  @Test func aTextThatGoesOnIsReadOnce() async throws {
    let engine = try await Self.engine()
    // An engine has room for the state of one text.
    let other = try await Self.engine { $0.placement = .resident }
    let session = engine.session()
    var text = "Once upon a time"
    var heldCount = 0
    for turn in 0..<6 {
      let found = try await Self.run(session.generate([.text(text)], Self.options(12)))
      let anew = try await Self.run(other.generate([.text(text)], Self.options(12)))
      #expect(found.text == anew.text, "turn \(turn)")
      #expect(found.statistics.heldTokenCount >= heldCount)
      if turn > 0 {
        // All but the last token of the answer before, which nobody ran.
        #expect(found.statistics.promptTokenCount < 16, "turn \(turn)")
      }
      heldCount = found.statistics.heldTokenCount
      text += found.text + " Then the dog said hello."
    }
    #expect(heldCount > 60)
  }

  /// Twenty turns of a conversation: of each only the new message and the form around it is run.
  @Test func aConversationIsReadOnce() async throws {
    let engine = try await Self.engine { $0.contextLength = 1024 }
    let session = engine.session()
    let format = try ChatFormat(engine, wanted: .builtIn("chatml"))
    var messages = [ChatMessage(role: "system", text: "You tell stories.")]
    var (runCount, textCount) = (0, 0)
    for turn in 0..<20 {
      messages.append(ChatMessage(role: "user", text: "The dog said \(turn)."))
      let prompt = try format.prompt(messages)
      let found = try await Self.run(session.generate(prompt, Self.options(10)))
      messages.append(ChatMessage(role: "assistant", text: found.text))
      runCount += found.statistics.promptTokenCount
      textCount = found.statistics.promptTokenCount + found.statistics.heldTokenCount
      #expect(turn == 0 || found.statistics.heldTokenCount > 0, "turn \(turn)")
    }
    // Each turn's message, and the end of the answer before it, which nobody ran.
    #expect(runCount <= textCount)
  }

  @Test func anotherTextGoesBackToWhereItDiffers() async throws {
    let engine = try await Self.engine()
    let session = engine.session()
    let begin = "Once upon a time there was a little girl named Lily. She"
    _ = try await Self.run(session.generate([.text(begin + " had a dog")], Self.options(8)))
    let other = begin + " had a cat"
    let found = try await Self.run(session.generate([.text(other)], Self.options(8)))
    let anew = try await Self.run(engine.generate([.text(other)], Self.options(8)))
    #expect(found.text == anew.text && found.statistics.heldTokenCount > 8)
    let new = try await Self.run(session.generate([.text("The")], Self.options(8)))
    #expect(new.statistics.heldTokenCount == 0 || new.statistics.promptTokenCount >= 1)
    // The same text once more: all but its last token is there.
    let again = try await Self.run(session.generate([.text("The")], Self.options(8)))
    #expect(again.text == new.text && again.statistics.promptTokenCount == 1)
  }

  /// One sequence for two sessions and single requests: nothing fails, and no text changes.
  @Test func sessionsTakeTurnsWhereThereIsRoomForOne() async throws {
    let engine = try await Self.engine()
    let (first, second) = (engine.session(), engine.session())
    let texts = ["Once upon a time", "The big red dog"]
    let alone = [
      try await Self.run(engine.generate([.text(texts[0])], Self.options(10))).text,
      try await Self.run(engine.generate([.text(texts[1])], Self.options(10))).text,
    ]
    for _ in 0..<3 {
      #expect(
        try await Self.run(first.generate([.text(texts[0])], Self.options(10))).text == alone[0])
      #expect(
        try await Self.run(second.generate([.text(texts[1])], Self.options(10))).text == alone[1])
      #expect(
        try await Self.run(engine.generate([.text(texts[1])], Self.options(10))).text == alone[1])
    }
    _ = try await engine.perplexity(of: "Once upon a time there was a dog. It was red.")
  }

  @Test func aCancelledRequestLeavesTheSessionUsable() async throws {
    let engine = try await Self.engine()
    let session = engine.session()
    // Stopped after the first layer of the prompt, whatever else the machine does.
    let running = Mutex<Generation?>(nil)
    var options = Self.options(40)
    options.promptProgress = { _, _ in
      while true {
        if let generation = running.withLock({ $0 }) { return generation.stop() }
        usleep(100)
      }
    }
    let generation = session.generate([.text("Once upon a time")], options)
    running.withLock { $0 = generation }
    for try await _ in generation {}
    #expect(generation.statistics?.finish == .cancelled)
    let found = try await Self.run(session.generate([.text("The big red dog")], Self.options(10)))
    let anew = try await Self.run(engine.generate([.text("The big red dog")], Self.options(10)))
    #expect(found.text == anew.text)
    #expect(found.statistics.finish == .length)
  }

  @Test func stopsEndTheTextBeforeThem() async throws {
    let engine = try await Self.engine()
    let whole = try await Self.run(engine.generate("Once upon a time", Self.options(60))).text
    let stop = String(try #require(whole.split(separator: " ").dropFirst(9).first))
    var options = Self.options(60)
    options.stops = [stop]
    let found = try await Self.run(engine.generate("Once upon a time", options))
    #expect(found.statistics.finish == .stop(stop))
    #expect(whole.hasPrefix(found.text + stop) && !found.text.contains(stop))
  }
}
