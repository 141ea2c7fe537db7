import Foundation
import MoERuntime
import MoETestSupport
import Testing

/// The guide's example is compiled here, run, and the same as in the guide to the letter.
@Suite struct GettingStartedTests {
  private static let tests = URL(filePath: #filePath).deletingLastPathComponent()
  /// Counts what the process of all tests holds.
  private static let memory = "8G"

  @Test func theGuideShowsTheExampleThatIsCompiled() throws {
    let guide = try String(
      contentsOf: Self.tests.appending(
        path: "../../Sources/MoERuntime/MoERuntime.docc/GettingStarted.md"), encoding: .utf8)
    let example = try String(
      contentsOf: Self.tests.appending(path: "GettingStartedExample.swift"), encoding: .utf8)
    #expect(guide.contains("```swift\n\(example)```"))
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
