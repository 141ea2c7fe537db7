import MoERuntime

/// A text that is being generated: a task takes its tokens from the engine, a thread of C's takes
/// them from here.
final class RunningText: Sendable {
  enum Event: Sendable {
    case text(String)
    case end
    case failed(EngineError)
  }

  let generation: Generation
  private let events = Mailbox<Event>()

  init(_ generation: Generation) {
    self.generation = generation
    Task.detached { [events] in
      do throws(EngineError) {
        for try await token in generation where !token.text.isEmpty {
          events.put(.text(token.text))
        }
        events.put(.end)
      } catch {
        events.put(.failed(error))
      }
    }
  }

  /// Blocks until there is more. Not to be called again after the end, or a failure.
  func next() -> Event { events.take() }
}
