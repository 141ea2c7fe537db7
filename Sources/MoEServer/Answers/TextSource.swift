package import MoERuntime

/// Where the text of answers comes from: an engine, or a script in its place.
package protocol TextSource: Sendable {
  /// Asks for a text that goes on from a prompt. It has its place in the queue from now on.
  func begin(_ prompt: [Int32], _ options: GenerationOptions) -> any TextWork
}

/// A text that was asked for.
package protocol TextWork: Sendable {
  /// Hands on all of the text as it comes.
  func run(
    _ take: (TextPiece) throws -> Void
  ) async throws -> GenerationStatistics

  /// Has the text end soon; safe from any thread.
  func stop()
}

/// What one token adds to a text.
package struct TextPiece: Sendable, Equatable {
  package var id: Int32
  /// Empty while a character's bytes are not all there.
  package var text: String
  package var logProbability: Double?
  package var alternatives: [TokenProbability]

  package init(
    id: Int32, text: String, logProbability: Double? = nil, alternatives: [TokenProbability] = []
  ) {
    self.id = id
    self.text = text
    self.logProbability = logProbability
    self.alternatives = alternatives
  }
}

/// Texts of an engine.
struct EngineTextSource: TextSource {
  let engine: Engine

  func begin(_ prompt: [Int32], _ options: GenerationOptions) -> any TextWork {
    EngineTextWork(generation: engine.generate(tokens: prompt, options))
  }
}

private struct EngineTextWork: TextWork {
  let generation: Generation

  func run(_ take: (TextPiece) throws -> Void) async throws -> GenerationStatistics {
    for try await token in generation {
      try take(
        TextPiece(
          id: token.id, text: token.text, logProbability: token.logProbability,
          alternatives: token.alternatives))
    }
    guard let statistics = generation.statistics else { throw CancellationError() }
    return statistics
  }

  func stop() { generation.stop() }
}
