import Synchronization

/// The answers that are being written, for `/slots`.
final class RunningAnswers: Sendable {
  struct Entry: Sendable {
    let number: Int
    let promptTokenCount: Int
    var generatedTokenCount = 0
  }

  private struct State {
    var entries: [Int: Entry] = [:]
    var next = 0
  }

  private let state = Mutex(State())

  /// - Returns: Its number, for the others.
  func begin(promptTokenCount: Int) -> Int {
    state.withLock { state in
      defer { state.next += 1 }
      state.entries[state.next] = Entry(
        number: state.next, promptTokenCount: promptTokenCount)
      return state.next
    }
  }

  func didWriteToken(_ number: Int) {
    state.withLock { $0.entries[number]?.generatedTokenCount += 1 }
  }

  func end(_ number: Int) { _ = state.withLock { $0.entries.removeValue(forKey: number) } }

  /// In the order in which they began.
  var all: [Entry] {
    state.withLock { $0.entries.values.sorted { $0.number < $1.number } }
  }
}
