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

/// What the expressions tell apart: `\p{L}`, `\p{N}`, `\s` and the rest.
enum ScalarClass {
  case letter, number, space, other

  init(_ scalar: UInt32) {
    switch scalar {
    case 0x41...0x5A, 0x61...0x7A: self = .letter
    case 0x30...0x39: self = .number
    case 0x09...0x0D, 0x20: self = .space
    case 0..<0x80: self = .other
    default: self = Self.outsideASCII(scalar)
    }
  }

  private static func outsideASCII(_ value: UInt32) -> ScalarClass {
    guard let scalar = Unicode.Scalar(value) else { return .other }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      return .letter
    case .decimalNumber, .letterNumber, .otherNumber:
      return .number
    default:
      return scalar.properties.isWhitespace ? .space : .other
    }
  }
}

extension Span<UInt8> {
  /// The class of the scalar at a byte index, and the index after it.
  func scalarClass(at index: Int) -> (class: ScalarClass, end: Int) {
    if self[index] < 0x80 { return (ScalarClass(UInt32(self[index])), index + 1) }
    let (scalar, byteCount) = self.scalar(at: index)
    return (ScalarClass(scalar), index + byteCount)
  }

  /// The end of the run of scalars of one class from `start` on.
  func runEnd(of class: ScalarClass, from start: Int) -> Int {
    var end = start
    while end < count {
      let next = scalarClass(at: end)
      guard next.class == `class` else { break }
      end = next.end
    }
    return end
  }

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

  /// The scalar at a byte index and its length; bytes that are not UTF-8 are U+FFFD, one by one.
  ///
  /// Text is UTF-8, but a special token of a hostile file may cut it within a character.
  func scalar(at index: Int) -> (value: UInt32, byteCount: Int) {
    let lead = self[index]
    let byteCount =
      switch lead {
      case 0..<0x80: 1
      case 0xC2..<0xE0: 2
      case 0xE0..<0xF0: 3
      case 0xF0..<0xF5: 4
      default: 0
      }
    guard byteCount > 0, index + byteCount <= count else { return (0xFFFD, 1) }
    if byteCount == 1 { return (UInt32(lead), 1) }
    var value = UInt32(lead) & (0x7F >> UInt32(byteCount))
    for offset in 1..<byteCount {
      let byte = self[index + offset]
      guard byte & 0xC0 == 0x80 else { return (0xFFFD, 1) }
      value = value << 6 | UInt32(byte & 0x3F)
    }
    return (value, byteCount)
  }
}
