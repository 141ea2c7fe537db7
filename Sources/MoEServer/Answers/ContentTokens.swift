import MoETokenizer

/// Finds the tokens that a piece of content was made of.
///
/// A parser passes a text on in order, less what is not content, and later than it came where it
/// may yet turn out not to be.
struct ContentTokens {
  private struct Entry {
    var piece: TextPiece
    /// Bytes of the token that were not passed over yet.
    var bytes: ArraySlice<UInt8>
  }

  private let tokenizer: Tokenizer
  private var waiting: [Entry] = []
  private var waitingBytes: [UInt8] = []

  /// Bytes that are kept for content to come: more than a parser holds back.
  private static let waitingByteCountMax = 1 << 18

  init(_ tokenizer: Tokenizer) { self.tokenizer = tokenizer }

  mutating func add(_ piece: TextPiece) {
    var bytes = tokenizer.bytes(of: piece.id, renderSpecial: true)
    // What came without a token of its own, such as what a stop held back at the text's end.
    if piece.logProbability == nil { bytes = [] }
    waiting.append(Entry(piece: piece, bytes: bytes[...]))
    waitingBytes += bytes
    while waitingBytes.count > Self.waitingByteCountMax, !waiting.isEmpty {
      waitingBytes.removeFirst(waiting.removeFirst().bytes.count)
    }
  }

  /// The tokens of the next piece of content; what came before it was none.
  mutating func take(_ text: String) -> [ContentToken] {
    let wanted = Array(text.utf8)
    guard !wanted.isEmpty, let start = TextSearch.firstStart(of: wanted, in: waitingBytes) else {
      return wanted.isEmpty ? [] : unmatched(text)
    }
    drop(start)
    var found: [ContentToken] = []
    var position = 0
    var unfinished: [UInt8] = []
    while position < wanted.count, !waiting.isEmpty {
      if waiting[0].bytes.isEmpty {
        waiting.removeFirst()
        continue
      }
      let count = min(waiting[0].bytes.count, wanted.count - position)
      let bytes = Array(wanted[position..<position + count])
      position += count
      // Characters that this token completes.
      unfinished += bytes
      let whole = Self.wholeByteCount(unfinished)
      let text = String(decoding: unfinished.prefix(whole), as: UTF8.self)
      unfinished.removeFirst(whole)
      found.append(Self.token(waiting[0].piece, text: text, bytes: bytes))
      drop(count)
    }
    return found
  }

  /// Content that no token was found for goes to the last one.
  private mutating func unmatched(_ text: String) -> [ContentToken] {
    guard let last = waiting.last else { return [] }
    drop(waitingBytes.count)
    return [Self.token(last.piece, text: text, bytes: Array(text.utf8))]
  }

  private static func token(_ piece: TextPiece, text: String, bytes: [UInt8]) -> ContentToken {
    ContentToken(
      id: piece.id, text: text, bytes: bytes, logProbability: piece.logProbability ?? 0,
      alternatives: piece.alternatives)
  }

  /// Passes over bytes.
  private mutating func drop(_ count: Int) {
    waitingBytes.removeFirst(count)
    var rest = count
    while rest > 0, !waiting.isEmpty {
      let part = min(rest, waiting[0].bytes.count)
      waiting[0].bytes = waiting[0].bytes.dropFirst(part)
      rest -= part
      if waiting[0].bytes.isEmpty { waiting.removeFirst() }
    }
  }

  /// Bytes at the start that are whole characters, or that no more bytes make any.
  static func wholeByteCount(_ bytes: [UInt8]) -> Int {
    for count in 1...3 where count <= bytes.count {
      let lead = bytes[bytes.count - count]
      if lead & 0xC0 == 0x80 { continue }
      let needed = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1
      return needed > count ? bytes.count - count : bytes.count
    }
    return bytes.count
  }
}
