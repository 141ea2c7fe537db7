private import MoECore

/// A text that is being written by a grammar: where it is, and which tokens may come next.
///
/// A value: a copy goes on by itself, as a branch of the text. It takes some hundred bytes.
package struct GrammarMatcher: Sendable {
  package let compiled: CompiledGrammar
  private var place: GrammarMachine.Place
  /// The last bytes that were written, for messages.
  private var tail: [UInt8] = []

  private static let tailByteCountMax = 40
  private static let pieceByteCount = 4096

  /// At the beginning of a text.
  package init(_ compiled: CompiledGrammar) {
    self.compiled = compiled
    place = compiled.start
  }

  /// Whether the text may end here. Then the mask has the vocabulary's end tokens.
  package var isComplete: Bool { place.isComplete }

  /// The tokens that may come next: each can be continued to a whole text, at least byte by byte.
  ///
  /// Throws where there is none (`stuck`): the grammar goes on with bytes that no token of the
  /// vocabulary writes; and where the grammar needs more steps or memory than is allowed.
  package func allowed() throws(GrammarError) -> TokenMask {
    let place = place
    let mask = try compiled.withMachine { (machine) throws(GrammarError) in
      try machine.mask(at: place)
    }
    if mask.count > 0 { return mask }
    let wanted = try compiled.withMachine { (machine) throws(GrammarError) in
      try machine.wanted(at: place)
    }
    throw GrammarError(
      .stuck, "no token of the vocabulary goes on \(behind): the grammar wants \(wanted)")
  }

  /// Appends a token to the text. An end token, where the text is complete, changes nothing.
  ///
  /// Throws where the token isn't allowed (`refused`); the text is then as before.
  package mutating func accept(_ token: Int32) throws(GrammarError) {
    if isComplete && compiled.vocabulary.isEnd(token) { return }
    let bytes = compiled.vocabulary.bytes(of: token)
    guard !bytes.isEmpty, try advance(bytes) else {
      throw GrammarError(
        .refused, "token \(token) (\(Self.quoted(bytes))) is not allowed \(behind)")
    }
  }

  /// Appends bytes that were not sampled, such as a beginning that was given.
  ///
  /// Throws where they aren't allowed (`refused`); the text is then as before.
  package mutating func accept(bytes: [UInt8]) throws(GrammarError) {
    guard try advance(bytes[...]) else {
      throw GrammarError(
        .refused, "the text \(Self.quoted(bytes[...])) is not allowed \(behind)")
    }
  }

  private mutating func advance(_ bytes: ArraySlice<UInt8>) throws(GrammarError) -> Bool {
    var place = place
    var rest = bytes
    // In pieces, between which the states that are kept stay within their bound.
    while !rest.isEmpty {
      let (piece, here) = (rest.prefix(Self.pieceByteCount), place)
      rest = rest.dropFirst(piece.count)
      let next = try compiled.withMachine { (machine) throws(GrammarError) in
        try machine.place(after: piece, at: here)
      }
      guard let next else { return false }
      place = next
    }
    self.place = place
    tail = Array((tail + bytes.suffix(Self.tailByteCountMax)).suffix(Self.tailByteCountMax))
    return true
  }

  private var behind: String {
    tail.isEmpty ? "at the beginning" : "behind \(Self.quoted(tail[...]))"
  }

  private static func quoted(_ bytes: ArraySlice<UInt8>) -> String {
    String(decoding: bytes, as: UTF8.self).quotedForMessage
  }
}
