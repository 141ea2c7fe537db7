import Foundation
import MoECore
import MoERuntime
import MoETemplates
import MoETestSupport
import MoETokenizer
import Testing

/// Conversations through the library, and what is known of the model.
@Suite struct ChatSessionTests {
  private func engine() async throws -> Engine {
    var options = EngineOptions()
    options.memory = .bytes(8 << 30)
    options.contextLength = 512
    return try await Engine(modelAt: TrainedModel.path, options: options)
  }

  private func greedy(_ count: Int) -> GenerationOptions {
    var options = GenerationOptions()
    options.sampling = .greedy
    options.tokenCountMax = count
    return options
  }

  private func answer(
    _ chat: ChatSession, _ messages: [Message], _ options: GenerationOptions
  ) async throws -> (text: String, statistics: GenerationStatistics) {
    var text = ""
    var ends: [GenerationStatistics] = []
    for try await event in try chat.answer(messages, options) {
      switch event {
      case .text(let piece): text += piece
      case .finish(let reason, let statistics):
        #expect(reason == statistics.finish)
        ends.append(statistics)
      default: Issue.record("\(event)")
      }
    }
    #expect(ends.count == 1)
    return (text, try #require(ends.last))
  }

  /// The second turn computes what is new alone, and gives what a new session gives.
  @Test func whatWasReadStaysRead() async throws {
    let engine = try await engine()
    let chat = try engine.chat(template: .named("chatml"))
    var messages = [Message(.user, "Tell me of a dog.")]
    let first = try await answer(chat, messages, greedy(12))
    messages += [Message(.assistant, first.text), Message(.user, "And of a cat?")]
    let second = try await answer(chat, messages, greedy(12))
    #expect(second.statistics.heldTokenCount > 8)
    let anew = try await answer(
      try engine.chat(template: .named("chatml")), messages, greedy(12))
    #expect(anew.statistics.heldTokenCount == 0 && anew.text == second.text)
    #expect(
      anew.statistics.promptTokenCount
        == second.statistics.heldTokenCount + second.statistics.promptTokenCount)
  }

  @Test func whatCannotBeUsedIsRefused() async throws {
    let engine = try await engine()
    #expect(throws: EngineError.self) { try engine.chat(template: .named("nobody's")) }
    #expect(throws: EngineError.self) { try engine.chat(template: .text("{% if %}")) }
    let chat = try engine.chat()
    let tool = Tool(name: "f", summary: "", parameters: "{")
    #expect(throws: EngineError.self) { try chat.answer([Message(.user, "Hi")], tools: [tool]) }
    let refusing = try engine.chat(template: .text("{{ raise_exception('not so') }}"))
    let error = try #require(throws: EngineError.self) {
      try refusing.answer([Message(.user, "Hi")])
    }
    #expect("\(error)".contains("not so"))
  }

  @Test func theModelIsKnown() async throws {
    let engine = try await engine()
    let model = engine.model
    #expect(model.architecture == engine.plan.architecture)
    #expect(model.contextLength == 512 && model.trainedContextLength >= 512)
    #expect(model.vocabularySize >= engine.tokenizer.vocabularySize)
    #expect(model.endTokens == engine.tokenizer.endTokens && !model.endTokens.isEmpty)
    #expect(model.expertCounts.count == model.expertsPerToken.count)
    let coded = try JSONEncoder().encode(model)
    #expect(try JSONDecoder().decode(ModelInformation.self, from: coded) == model)
  }

  /// Calls as Hermes' family writes them, cut at every byte: joined, checked, told apart.
  @Test func callsComeWholeWithTheirProblems() throws {
    let tool = try OutputTool(
      name: "time",
      schema: #"{"properties": {"city": {"type": "string"}}, "required": ["city"]}"#)
    let output =
      "So: <tool_call>\n{\"name\": \"time\", \"arguments\": {\"city\": 5}}\n</tool_call>"
      + "<tool_call>\n{\"name\": \"none\", \"arguments\": {}}\n</tool_call>"
      + "<tool_call>\n{\"name\": \"time\", \"argu"
    for cut in 0...output.utf8.count {
      var reader = EventReader(
        parser: try OutputParser(styles: ["hermes"], tools: [tool]), tools: [tool])
      let (head, tail) = (output.utf8.prefix(cut), output.utf8.dropFirst(cut))
      let events =
        reader.read(String(decoding: head, as: UTF8.self))
        + reader.read(String(decoding: tail, as: UTF8.self)) + reader.finish()
      let calls = events.compactMap { if case .toolCall(let call) = $0 { call } else { nil } }
      #expect(calls.map(\.name) == ["time", "none"], "cut at \(cut)")
      #expect(calls.first?.problems == ["'city' is a number, not a string."], "cut at \(cut)")
      #expect(calls.last?.problems == ["No tool is called 'none'."], "cut at \(cut)")
      guard case .unfinishedCall(let rest)? = events.last else {
        Issue.record("cut at \(cut): \(events)")
        continue
      }
      #expect(rest.contains("argu"), "cut at \(cut)")
    }
  }
}
