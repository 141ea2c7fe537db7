private import Synchronization

/// The tokens of one generation, as they are made.
public struct Generation: AsyncSequence, Sendable {
  public typealias Element = GeneratedToken
  public typealias Failure = EngineError

  let stream: AsyncThrowingStream<GeneratedToken, any Error>
  let outcome: GenerationOutcome
  let cancel: @Sendable () -> Void
  /// An engine in use stays alive.
  let engine: Engine

  public func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(stream: stream.makeAsyncIterator())
  }

  public struct AsyncIterator: AsyncIteratorProtocol {
    var stream: AsyncThrowingStream<GeneratedToken, any Error>.AsyncIterator

    public mutating func next() async throws(EngineError) -> GeneratedToken? {
      try await next(isolation: #isolation)
    }

    public mutating func next(
      isolation actor: isolated (any Actor)?
    ) async throws(EngineError) -> GeneratedToken? {
      do {
        return try await stream.next(isolation: actor)
      } catch {
        throw EngineError(error)
      }
    }
  }

  /// What the generation did; nil until it has ended without an error.
  public var statistics: GenerationStatistics? { outcome.statistics }

  /// Ends the generation after the layer that is being computed: the sequence then ends without an
  /// error, and `statistics` tells what was done until then. One that waits for its turn ends at
  /// once. Safe from any thread.
  public func stop() { cancel() }
}

/// Where a generation leaves its statistics.
final class GenerationOutcome: Sendable {
  private let state = Mutex<GenerationStatistics?>(nil)

  var statistics: GenerationStatistics? { state.withLock { $0 } }

  func set(_ statistics: GenerationStatistics) { state.withLock { $0 = statistics } }
}
