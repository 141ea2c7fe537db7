import MoEModel

/// The states of texts that later requests may go on with: those of sessions, and those that
/// requests left for whoever begins alike.
struct KeptStates {
  private struct Kept {
    /// Nil: anybody's.
    let session: SessionID?
    /// What has been run.
    var tokens: [Int32]
    var sequence: SequenceState
  }

  /// The one that was not used for longest first.
  private var kept: [Kept] = []

  func tokens(of session: SessionID) -> [Int32] {
    kept.first { $0.session == session }?.tokens ?? []
  }

  /// A sequence for a session's request, and how many of its tokens have been run already: never
  /// all, since the last one's logits are wanted.
  mutating func begin(
    _ session: SessionID, _ text: [Int32], on decoder: Decoder
  ) -> (sequence: SequenceState, heldCount: Int) {
    guard let index = kept.firstIndex(where: { $0.session == session }) else {
      return (makeSequence(on: decoder), 0)
    }
    return takeUp(index, text, on: decoder)
  }

  /// The same for a request that goes on with what any other has left, or has come to.
  ///
  /// What began alike and then went on as this text does is taken up; of a text that went on
  /// otherwise the beginning is copied, where there is room for both, and so is that of a text in
  /// progress.
  ///
  /// - Parameter others: Texts in progress, between two steps.
  mutating func begin(
    _ text: [Int32], beside others: [(tokens: [Int32], sequence: SequenceState)] = [],
    on decoder: Decoder
  ) -> (sequence: SequenceState, heldCount: Int) {
    var best: (index: Int, common: Int)?
    for (index, state) in kept.enumerated() where state.session == nil {
      let common = Self.commonCount(state.tokens, text)
      guard common > best?.common ?? 0, state.sequence.canGoOn(at: common) else { continue }
      best = (index, common)
    }
    var running: (sequence: SequenceState, common: Int)?
    for (tokens, sequence) in others {
      // Of a text in progress the first `position` tokens have been run.
      let common = min(sequence.position, Self.commonCount(tokens, text))
      guard common > max(best?.common ?? 0, running?.common ?? 0), sequence.canGoOn(at: common)
      else { continue }
      running = (sequence, common)
    }
    if let running {
      let copy = makeSequence(on: decoder)
      decoder.copyBeginning(of: running.sequence, to: copy, count: running.common)
      return (copy, running.common)
    }
    guard let best else { return (makeSequence(on: decoder), 0) }
    let isContinued = best.common == kept[best.index].tokens.count
    // A state that goes back by little is of the same conversation.
    if !isContinued, 2 * best.common < kept[best.index].tokens.count {
      let source = kept.remove(at: best.index)
      let copy = kept.isEmpty ? decoder.beginSequence() : makeSequence(on: decoder)
      if let copy {
        kept.append(source)
        decoder.copyBeginning(of: source.sequence, to: copy, count: best.common)
        return (copy, best.common)
      }
      kept.append(source)
      return takeUp(kept.count - 1, text, on: decoder)
    }
    return takeUp(best.index, text, on: decoder)
  }

  private mutating func takeUp(
    _ index: Int, _ text: [Int32], on decoder: Decoder
  ) -> (sequence: SequenceState, heldCount: Int) {
    let found = kept.remove(at: index)
    let common = Self.commonCount(found.tokens, text)
    if decoder.cut(found.sequence, to: common) { return (found.sequence, common) }
    decoder.cut(found.sequence)
    return (found.sequence, 0)
  }

  private static func commonCount(_ tokens: [Int32], _ text: [Int32]) -> Int {
    zip(tokens, text.dropLast()).prefix { $0 == $1 }.count
  }

  /// A new sequence; where there is no room, the text that was not used for longest loses its.
  mutating func makeSequence(on decoder: Decoder) -> SequenceState {
    while true {
      if let sequence = decoder.beginSequence() { return sequence }
      guard !kept.isEmpty else {
        preconditionFailure("as many sequences as there may be are in use")
      }
      decoder.endSequence(kept.removeFirst().sequence)
    }
  }

  /// Keeps a sequence for the session's next request, or for whoever begins alike.
  mutating func keep(
    _ session: SessionID?, _ sequence: SequenceState, tokens: [Int32], on decoder: Decoder
  ) {
    let tokens = Array(tokens.prefix(sequence.position))
    if let session {
      // Two requests of one session at a time: the later one counts.
      close(session, on: decoder)
    } else {
      // What begins this text is there twice now.
      kept.removeAll { state in
        guard state.session == nil, tokens.starts(with: state.tokens) else { return false }
        decoder.endSequence(state.sequence)
        return true
      }
    }
    kept.append(Kept(session: session, tokens: tokens, sequence: sequence))
  }

  mutating func close(_ session: SessionID, on decoder: Decoder) {
    guard let index = kept.firstIndex(where: { $0.session == session }) else { return }
    decoder.endSequence(kept.remove(at: index).sequence)
  }

  /// How many states there are.
  var count: Int { kept.count }
}
