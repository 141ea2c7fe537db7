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
      return try await engine.request { core, _ in core.sessions.tokens(of: id) }
    }
  }
}

/// Tells one session of an engine from the others.
final class SessionID: Sendable, Hashable {
  static func == (left: SessionID, right: SessionID) -> Bool { left === right }

  func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

/// The states of an engine's sessions.
struct SessionStates {
  private struct Held {
    /// What has been run.
    var tokens: [Int32]
    var sequence: SequenceState
  }

  private var held: [SessionID: Held] = [:]
  /// The one that was not used for longest first.
  private var order: [SessionID] = []

  func tokens(of id: SessionID) -> [Int32] { held[id]?.tokens ?? [] }

  /// A sequence for a request, and how many of its tokens have been run already: never all, since
  /// the last one's logits are wanted.
  mutating func begin(
    _ id: SessionID, _ text: [Int32], on decoder: Decoder
  ) -> (sequence: SequenceState, heldCount: Int) {
    if let found = held.removeValue(forKey: id) {
      order.removeAll { $0 == id }
      let common = zip(found.tokens, text.dropLast()).prefix { $0 == $1 }.count
      if decoder.cut(found.sequence, to: common) { return (found.sequence, common) }
      decoder.cut(found.sequence)
      return (found.sequence, 0)
    }
    return (makeSequence(on: decoder), 0)
  }

  /// A new sequence; where there is no room, the session that was not used for longest loses its.
  mutating func makeSequence(on decoder: Decoder) -> SequenceState {
    while true {
      if let sequence = decoder.beginSequence() { return sequence }
      guard let oldest = order.first else {
        preconditionFailure("as many sequences as there may be are in use")
      }
      close(oldest, on: decoder)
    }
  }

  /// Keeps a sequence for the session's next request.
  mutating func keep(_ id: SessionID, _ sequence: SequenceState, tokens: [Int32]) {
    held[id] = Held(tokens: Array(tokens.prefix(sequence.position)), sequence: sequence)
    order.append(id)
  }

  mutating func close(_ id: SessionID, on decoder: Decoder) {
    order.removeAll { $0 == id }
    if let found = held.removeValue(forKey: id) { decoder.endSequence(found.sequence) }
  }
}
