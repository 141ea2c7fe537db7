/// Cuts text into the words that byte-pair merges never cross.
///
/// Models define this by a regular expression; a conforming type is that expression written out by
/// hand, since a general engine would be slower and its Unicode classes another library's.
protocol PreTokenizer: Sendable {
  /// The end of the word that begins at `start`: above `start`, at most `text.count`.
  ///
  /// `text` is UTF-8 and not empty from `start` on; its end counts as the end of all text.
  func wordEnd(in text: Span<UInt8>, from start: Int) -> Int
}

extension Span<UInt8> {
  /// `\s+(?!\S)|\s+` at white space: a run before a word leaves its last character to that word.
  func spaceEnd(from start: Int) -> Int {
    var (lastStart, end) = (start, start)
    while end < count {
      let next = scalarClass(at: end)
      guard next.class == .space else { return lastStart > start ? lastStart : end }
      (lastStart, end) = (end, next.end)
    }
    return end
  }

  /// The end of an English contraction's ending (`'s 't 're 've 'm 'll 'd`) that begins at `start`.
  func contractionEnd(from start: Int, ignoringCase: Bool) -> Int? {
    guard self[start] == UInt8(ascii: "'") else { return nil }
    let caseBit: UInt8 = ignoringCase ? 0x20 : 0
    let first = start + 1 < count ? self[start + 1] | caseBit : 0
    let second = start + 2 < count ? self[start + 2] | caseBit : 0
    switch (first, second) {
    case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _),
      (UInt8(ascii: "d"), _):
      return start + 2
    case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
      (UInt8(ascii: "l"), UInt8(ascii: "l")):
      return start + 3
    default:
      return nil
    }
  }

  /// Whether a carriage return or a line feed is at a byte index.
  func isLineBreak(at index: Int) -> Bool {
    self[index] == UInt8(ascii: "\n") || self[index] == UInt8(ascii: "\r")
  }
}
