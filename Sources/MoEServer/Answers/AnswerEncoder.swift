import MoECore

/// Writes what happens to an answer as an interface's events.
protocol AnswerEncoder: Sendable {
  /// What opens a stream.
  mutating func begin() -> [ServerSentEvent]
  mutating func encode(_ event: AnswerEvent) -> [ServerSentEvent]
  /// What closes it once all choices have ended.
  mutating func end() -> [ServerSentEvent]
  /// What closes it where something went wrong.
  mutating func fail(_ error: APIError) -> [ServerSentEvent]
  /// The answer as a whole, of so many texts.
  func json(
    of events: AsyncThrowingStream<AnswerEvent, any Error>, count: Int, scope: RequestScope
  ) async throws -> JSON
}

extension AnswerEncoder {
  mutating func begin() -> [ServerSentEvent] { [] }

  /// The answer to a request, event by event.
  ///
  /// Returns once something has happened: what is known to be wrong by then is thrown, and so gets
  /// its status.
  func reply(_ events: AsyncThrowingStream<AnswerEvent, any Error>) async throws -> Reply {
    var iterator = events.makeAsyncIterator()
    guard let first = try await iterator.next() else { throw APIError.clientLeft }
    let encoder = self
    return .events { writer in
      var encoder = encoder
      var iterator = events.makeAsyncIterator()
      try await writer.write(encoder.begin() + encoder.all(first))
      while true {
        let event: AnswerEvent
        do {
          guard let next = try await iterator.next() else { break }
          event = next
        } catch {
          return try await writer.write(encoder.fail(APIError(error)))
        }
        try await writer.write(encoder.all(event))
      }
      // A stream ends early where whoever reads it was cancelled.
      try Task.checkCancellation()
      try await writer.write(encoder.end())
    }
  }

  /// The encoder once it has seen all of an answer.
  func finished(
    _ events: AsyncThrowingStream<AnswerEvent, any Error>, scope: RequestScope
  ) async throws -> Self {
    var encoder = self
    var hasEnded = false
    for try await event in events {
      if case .end = event { hasEnded = true }
      _ = encoder.encode(event)
    }
    // The stream ends early where whoever reads it was cancelled.
    guard hasEnded else { throw scope.end ?? .clientLeft }
    return encoder
  }

  private mutating func all(_ event: AnswerEvent) -> [ServerSentEvent] {
    if case .tick = event { return [.comment("the prompt is being read")] }
    return encode(event)
  }
}
