import MoECore
import MoERuntime

/// What a session's calls work with, one after the other.
final class TextWork: @unchecked Sendable {
  // Sendable because only the call that has taken it out of its session touches it.

  /// Nil where the engine is done with the text.
  private var running: RunningText?
  private(set) var statistics: JSON?
  let memory = PieceMemory()
  private var reader = PieceReader(nil)
  /// Pieces that came together, the next at the end.
  private var pending: [Piece] = []
  private var seed: UInt64?
  private var hasBegun = false

  /// Whether there is a text that was not taken to its end.
  var isInProgress: Bool { running != nil || !pending.isEmpty }

  func begin(_ running: RunningText, _ request: TextRequest) {
    self.running = running
    reader = PieceReader(request.parser)
    seed = request.options.sampling.seed
    hasBegun = true
  }

  /// The next piece of the text; nil at its end.
  func next() throws(CallFailure) -> Piece? {
    guard hasBegun else {
      throw .argument("the session has no text; begin one with moe_session_prompt")
    }
    while pending.isEmpty, let running {
      switch running.next() {
      case .text(let text): pending = reader.read(text).reversed()
      case .end:
        pending = reader.finish().reversed()
        statistics = running.generation.statistics?.json(seed: seed)
        self.running = nil
      case .failed(let error):
        self.running = nil
        throw CallFailure(error)
      }
    }
    return pending.popLast()
  }
}
