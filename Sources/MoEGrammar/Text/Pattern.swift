/// A regular expression as a JSON schema writes it, as a tree.
indirect enum Pattern {
  case set(ScalarSet)
  case sequence([Pattern])
  case choice([Pattern])
  case repetition(Pattern, min: Int, max: Int?)
  /// The beginning and the end of the text.
  case textStart
  case textEnd
}

/// How to read what engines of regular expressions read differently: whether `\d` has the digits of
/// all scripts, what a white space is, whether `.` has U+2028, whether a line break may follow `$`.
///
/// A text that is written must fit by every reading, so it is made by the narrow one. What is to be
/// avoided is avoided by the wide one.
enum PatternReading {
  case narrow
  case wide

  var opposite: PatternReading { self == .narrow ? .wide : .narrow }

  /// From U+0080 on engines disagree about digits and letters of words.
  private static let disputed: ScalarSet = ScalarSet([0x80...0x10FFFF])
  private static let asciiSpaces = ScalarSet([0x09...0x0D, 0x20...0x20])
  private static let allSpaces = ScalarSet([
    0x09...0x0D, 0x1C...0x20, 0x85...0x85, 0xA0...0xA0, 0x1680...0x1680, 0x180E...0x180E,
    0x2000...0x200A, 0x2028...0x2029, 0x202F...0x202F, 0x205F...0x205F, 0x3000...0x3000,
    0xFEFF...0xFEFF,
  ])

  /// `\d`
  var digits: ScalarSet {
    let digits = ScalarSet([0x30...0x39])
    return self == .narrow ? digits : digits.union(Self.disputed)
  }

  /// `\w`
  var wordCharacters: ScalarSet {
    let ascii = ScalarSet([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    return self == .narrow ? ascii : ascii.union(Self.disputed)
  }

  /// `\s`
  var spaces: ScalarSet { self == .narrow ? Self.asciiSpaces : Self.allSpaces }

  /// `.`
  var anyCharacter: ScalarSet {
    let breaks: [ClosedRange<UInt32>] =
      self == .narrow ? [0x0A...0x0A, 0x0D...0x0D, 0x2028...0x2029] : [0x0A...0x0A]
    return ScalarSet(breaks).complement
  }
}
