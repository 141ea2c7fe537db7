import MoECore
import MoEModel
public import MoETokenizer
private import Synchronization

/// A text that goes on from request to request, such as a conversation: what was read of it stays
/// read, so that a request computes only what is new.
///
/// A request gives the whole text. As far as it begins like the one before, answer included, it is
/// taken up from there; where it differs, the session goes back to that place. An engine may have
/// several sessions; where there is no room for the state of another, that of the one that was not
/// used for longest is dropped, and its next request reads its text again.
public final class Session: Sendable {
  public let engine: Engine
  private let id: SessionID

  init(_ engine: Engine) {
    self.engine = engine
    id = SessionID()
  }

  deinit { engine.close(id) }

  /// Goes on with a text. Starts at once, or when the engine is free.
  ///
  /// - Parameter text: All of it, by who wrote what.
  public func generate(
    _ text: [PromptSegment], _ options: GenerationOptions = GenerationOptions()
  ) -> Generation {
    engine.generate(text, options, in: id)
  }

  /// The tokens that are held of the text: those of the last request and of its answer.
  public var tokens: [Int32] {
    get async throws(EngineError) {
      let id = id
      return try await engine.request(alone: false) { core, _ in core.states.tokens(of: id) }
    }
  }
}

/// Tells one session of an engine from the others.
final class SessionID: Sendable, Hashable {
  static func == (left: SessionID, right: SessionID) -> Bool { left === right }

  func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
