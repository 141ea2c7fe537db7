private import Synchronization

/// Asks a running computation to stop; it looks between layers and throws `CancellationError`.
///
/// Setting it is safe from any thread and from a signal handler.
package final class CancellationFlag: Sendable {
  private let flag = Atomic<Bool>(false)

  package init() {}

  package func cancel() { flag.store(true, ordering: .relaxed) }

  package var isCancelled: Bool { flag.load(ordering: .relaxed) }
}
