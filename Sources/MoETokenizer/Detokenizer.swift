/// Turns tokens into text as they are generated.
///
/// A character may be spread over several tokens, so the bytes of one that is not complete are held
/// back, three at most. All that `push` and `finish` return, joined, is what `Tokenizer.decode`
/// gives for all tokens at once; or, where the tokens continue others, for these and the others
/// less the others' text.
public struct Detokenizer: Sendable {
  private let tokenizer: Tokenizer
  private let renderSpecial: Bool
  private var pending: [UInt8] = []
  private var isRunStart: Bool

  /// With `renderSpecial`, control tokens show their name; without, nothing. With `continuesText`
  /// the first token follows others, so that a space it begins with is one.
  public init(tokenizer: Tokenizer, renderSpecial: Bool = false, continuesText: Bool = false) {
    self.tokenizer = tokenizer
    self.renderSpecial = renderSpecial
    isRunStart = !continuesText
  }

  /// The text that is certain once `token` is known; empty while a character is incomplete.
  public mutating func push(_ token: Int32) -> String {
    tokenizer.appendBytes(
      of: token, renderSpecial: renderSpecial, isRunStart: &isRunStart, to: &pending)
    let complete = pending.dropLast(unfinishedByteCount)
    let text = String(decoding: complete, as: UTF8.self)
    pending.removeFirst(complete.count)
    return text
  }

  /// The rest, with U+FFFD for a character that was never completed. The detokenizer can be used
  /// again for another sequence.
  public mutating func finish() -> String {
    let text = String(decoding: pending, as: UTF8.self)
    pending.removeAll(keepingCapacity: true)
    isRunStart = true
    return text
  }

  /// How many bytes at the end could still become a character.
  private var unfinishedByteCount: Int {
    for byteCount in 1...3 where byteCount <= pending.count {
      let lead = pending[pending.count - byteCount]
      if lead & 0xC0 == 0x80 { continue }
      guard let seconds = Self.secondBytes(after: lead),
        Self.byteCount(startingWith: lead) > byteCount,
        byteCount == 1 || seconds.contains(pending[pending.count - byteCount + 1])
      else { return 0 }
      return byteCount
    }
    return 0
  }

  private static func byteCount(startingWith lead: UInt8) -> Int {
    lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
  }

  /// The bytes that may follow the first byte of a character; nil where none does. (The Unicode
  /// Standard 15.0, table 3-7.)
  private static func secondBytes(after lead: UInt8) -> ClosedRange<UInt8>? {
    switch lead {
    case 0xC2...0xDF, 0xE1...0xEC, 0xEE...0xEF, 0xF1...0xF3: 0x80...0xBF
    case 0xE0: 0xA0...0xBF
    case 0xED: 0x80...0x9F
    case 0xF0: 0x90...0xBF
    case 0xF4: 0x80...0x8F
    default: nil
    }
  }
}
