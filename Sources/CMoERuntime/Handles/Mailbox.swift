import MoEPlatform
private import Synchronization

/// Hands values to a thread that blocks for them: from tasks to C, which knows no tasks.
final class Mailbox<Value: Sendable>: Sendable {
  private struct State {
    var arrived: [Value] = []
    /// Those to be taken next, the first at the end.
    var next: [Value] = []
  }

  private let state = Mutex(State())
  private let count = CountingSemaphore()

  func put(_ value: Value) {
    state.withLock { $0.arrived.append(value) }
    count.signal()
  }

  /// Blocks until there is a value; they come in the order in which they were put.
  func take() -> Value {
    count.wait()
    return state.withLock { state in
      if state.next.isEmpty {
        state.next = state.arrived.reversed()
        state.arrived = []
      }
      return state.next.removeLast()
    }
  }
}
