import Foundation
import MoECore
import MoERuntime
import MoETestSupport
import Testing

/// The examples of the guides are compiled here, run, and the same as in the guides to the letter.
@Suite struct ExampleTests {
  private static let tests = URL(filePath: #filePath).deletingLastPathComponent()
  private static let guides = [
    ("GettingStarted", "GettingStarted"), ("HoldAConversation", "Conversation"),
    ("OutputInAGivenForm", "GivenForm"), ("ChooseTokens", "ChoosingTokens"),
    ("SeveralAtOnce", "Together"),
  ]
  /// Counts what the process of all tests holds.
  private static let memory = "8G"

  @Test(arguments: guides)
  func aGuideShowsTheExampleThatIsCompiled(_ guide: String, _ example: String) throws {
    let text = try String(
      contentsOf: Self.tests.appending(
        path: "../../Sources/MoERuntime/MoERuntime.docc/\(guide).md"), encoding: .utf8)
    let code = try String(
      contentsOf: Self.tests.appending(path: "Examples/\(example)Example.swift"), encoding: .utf8)
    #expect(text.contains("```swift\n\(code)```"))
  }

  private func engine(_ change: (inout EngineOptions) -> Void = { _ in }) async throws -> Engine {
    var options = EngineOptions()
    options.memory = try SizeSpecification(parsing: Self.memory)
    options.contextLength = 512
    change(&options)
    return try await Engine(modelAt: TrainedModel.path, options: options)
  }

  @Test func theConversationHasAnAnswer() async throws {
    let messages = try await converse(with: try await engine())
    #expect(messages.count >= 3 && messages[2].role == .assistant)
    #expect(!messages[2].text.isEmpty)
  }

  @Test func theAnimalIsJSONOfTheSchema() async throws {
    let json = try await describeAnimal(with: try await engine { $0.holdsGrammars = true })
    let value = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
    #expect(value?.keys.sorted() == ["legs", "name"])
    #expect((0...8).contains(try #require(value?["legs"] as? Int)))
  }

  @Test func theSurestTokenIsProbable() async throws {
    let (text, surest) = try await write(with: try await engine())
    #expect(!text.isEmpty && surest <= 0 && surest > -1)
  }

  @Test func storiesTogetherAreTheirOwn() async throws {
    let beginnings = ["Once upon a time", "The dog", "In the garden"]
    let stories = try await storiesTogether(modelAt: TrainedModel.path, beginnings: beginnings)
    #expect(stories.allSatisfy { !$0.isEmpty } && Set(stories).count == 3)
  }

  @Test func theExampleTellsAStory() async throws {
    let story = try await continueStory(modelAt: TrainedModel.path, memory: Self.memory)
    #expect(story.count > 50)
  }

  @Test func theExampleEndsWithItsTask() async throws {
    let task = Task {
      unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
      return try await continueStory(modelAt: TrainedModel.path, memory: Self.memory)
    }
    // Cancelled before the first token, so there is no story.
    #expect(try await task.value.isEmpty)
  }
}
