import MoERuntime
import MoEServer
import Synchronization

/// Gives texts that tests have written in place of a model's.
final class ScriptedSource: TextSource {
  /// What is to happen when a text is asked for.
  struct Script: Sendable {
    var pieces: [String] = []
    /// Tells whether the prompt has been read.
    var isRead: @Sendable () -> Bool = { true }
    /// Reports on the prompt before the first piece: done, of all.
    var progress: [(Int, Int)] = []
    /// Waits after the pieces until somebody stops it.
    var staysOpen = false
    var failure: EngineError?
    var finish = FinishReason.end
    var heldTokenCount = 0

    init(_ pieces: [String] = []) { self.pieces = pieces }

    /// A text, cut into pieces of a character each.
    static func characters(_ text: String) -> Script { Script(text.map { String($0) }) }
  }

  /// What was asked for.
  struct Call: Sendable {
    let prompt: [Int32]
    let options: GenerationOptions
  }

  private let make: @Sendable (Call) -> Script
  private let state = Mutex((calls: [Call](), stopCount: 0))

  init(_ make: @escaping @Sendable (Call) -> Script) { self.make = make }

  convenience init(_ text: String) { self.init { _ in .characters(text) } }

  var calls: [Call] { state.withLock { $0.calls } }

  /// Texts that were stopped before their end.
  var stopCount: Int { state.withLock { $0.stopCount } }

  func begin(_ prompt: [Int32], _ options: GenerationOptions) -> any TextWork {
    let call = Call(prompt: prompt, options: options)
    state.withLock { $0.calls.append(call) }
    return ScriptedWork(script: make(call), promptTokenCount: prompt.count, options: options) {
      self.state.withLock { $0.stopCount += 1 }
    }
  }
}

private final class ScriptedWork: TextWork {
  let script: ScriptedSource.Script
  let promptTokenCount: Int
  let options: GenerationOptions
  let didStop: @Sendable () -> Void
  private let isStopped = Mutex(false)

  init(
    script: ScriptedSource.Script, promptTokenCount: Int, options: GenerationOptions,
    didStop: @escaping @Sendable () -> Void
  ) {
    self.script = script
    self.promptTokenCount = promptTokenCount
    self.options = options
    self.didStop = didStop
  }

  func stop() { isStopped.withLock { $0 = true } }

  private var hasStopped: Bool { isStopped.withLock { $0 } }

  func run(_ take: (TextPiece) throws -> Void) async throws -> GenerationStatistics {
    if let failure = script.failure, script.pieces.isEmpty { throw failure }
    var statistics = GenerationStatistics()
    statistics.promptTokenCount = promptTokenCount - script.heldTokenCount
    statistics.heldTokenCount = script.heldTokenCount
    for (done, total) in script.progress { options.promptProgress?(done, total) }
    while !script.isRead(), !hasStopped { try await Task.sleep(for: .milliseconds(5)) }
    for (number, piece) in script.pieces.enumerated() where !hasStopped {
      if let limit = options.tokenCountMax, number >= limit {
        statistics.finish = .length
        return statistics
      }
      try take(TextPiece(id: Int32(number % 100) + 10, text: piece))
      statistics.generatedTokenCount += 1
    }
    if let failure = script.failure { throw failure }
    while script.staysOpen, !hasStopped { try await Task.sleep(for: .milliseconds(5)) }
    statistics.finish = hasStopped ? .cancelled : script.finish
    if hasStopped { didStop() }
    return statistics
  }
}
