import CMoERuntimeInterface
import MoECore
import MoERuntime
private import Synchronization

/// A session as C has it: one text at a time, for one thread at a time.
final class TextSession: Sendable {
  static let title = "the session"

  private let model: LoadedModel
  private let session: Session
  /// What a call works with; nil while one does.
  private let work = Mutex<TextWork?>(TextWork())
  /// The text in progress, for whoever cancels it.
  private let generation = Mutex<Generation?>(nil)
  private let hasEnded = Atomic(false)

  init(_ model: LoadedModel) throws(CallFailure) {
    guard model.hold() else {
      throw .argument("the engine was freed already; load the model again")
    }
    self.model = model
    session = model.engine.session()
  }

  /// Begins a text; what can be wrong with it without the engine is told at once.
  func begin(_ prompt: TextPrompt, _ options: TextOptions) throws(CallFailure) {
    try exclusively { work throws(CallFailure) in
      guard !work.isInProgress else {
        throw .busy(
          "the session's text has not ended; take what is left of it, or cancel it first")
      }
      do throws(EngineError) {
        let request = try TextRequest(prompt, options, model)
        let running = RunningText(session.generate(request.segments, request.options))
        generation.withLock { $0 = running.generation }
        // Freed by another thread meanwhile, which found no text to end.
        if hasEnded.load(ordering: .sequentiallyConsistent) { cancel() }
        work.begin(running, request)
      } catch {
        throw CallFailure(error)
      }
    }
  }

  /// The next piece, valid until the next call; nil at the end.
  func next() throws(CallFailure) -> UnsafePointer<moe_piece>? {
    unsafe try exclusively { work throws(CallFailure) in
      try unsafe next(work)
    }
  }

  /// Hands all that is left to a closure; ends the text where that gives false.
  func run(_ receive: (UnsafePointer<moe_piece>) -> Bool) throws(CallFailure) {
    try exclusively { work throws(CallFailure) in
      while let piece = try unsafe next(work) {
        guard unsafe receive(piece) else {
          cancel()
          while try unsafe next(work) != nil {}
          return
        }
      }
    }
  }

  private func next(_ work: TextWork) throws(CallFailure) -> UnsafePointer<moe_piece>? {
    let piece = try work.next()
    if !work.isInProgress { generation.withLock { $0 = nil } }
    return unsafe piece.map { unsafe work.memory.hold($0) }
  }

  func cancel() { generation.withLock { $0 }?.stop() }

  /// What the text cost that ended last.
  func statistics() throws(CallFailure) -> JSON {
    try exclusively { work throws(CallFailure) in
      guard let statistics = work.statistics else {
        throw .argument("no text of the session has ended; take one to its end first")
      }
      return statistics
    }
  }

  /// Ends the text, and lets go of the model. Called once.
  func end() {
    hasEnded.store(true, ordering: .sequentiallyConsistent)
    cancel()
    model.release()
  }

  private func exclusively<Value>(
    _ body: (TextWork) throws(CallFailure) -> Value
  ) throws(CallFailure) -> Value {
    let taken = work.withLock { work in
      defer { work = nil }
      return work
    }
    guard let taken else {
      throw .busy("another call is in the session; give each thread a session of its own")
    }
    defer { work.withLock { $0 = taken } }
    return try body(taken)
  }
}
