/// What the expressions of pre-tokenizers tell apart. Each scalar has one class; sets of classes
/// are what the expressions write in brackets.
struct ScalarClasses: OptionSet {
  let rawValue: UInt8

  /// Upper and title case: `\p{Lu}\p{Lt}`.
  static let upper = ScalarClasses(rawValue: 1 << 0)
  /// Lower case: `\p{Ll}`.
  static let lower = ScalarClasses(rawValue: 1 << 1)
  /// Letters without case: `\p{Lm}\p{Lo}`.
  static let caseless = ScalarClasses(rawValue: 1 << 2)
  /// `\p{M}`
  static let mark = ScalarClasses(rawValue: 1 << 3)
  /// `\p{N}`
  static let number = ScalarClasses(rawValue: 1 << 4)
  /// `\s`
  static let space = ScalarClasses(rawValue: 1 << 5)
  /// `\p{P}`
  static let punctuation = ScalarClasses(rawValue: 1 << 6)
  /// Everything else.
  static let symbol = ScalarClasses(rawValue: 1 << 7)

  /// `\p{L}`
  static let letters: ScalarClasses = [.upper, .lower, .caseless]
  /// `[^\s\p{L}\p{N}]`
  static let others: ScalarClasses = [.mark, .punctuation, .symbol]

  /// The class of a scalar.
  static func of(_ scalar: UInt32) -> ScalarClasses {
    switch scalar {
    case 0x61...0x7A: .lower
    case 0x41...0x5A: .upper
    case 0x30...0x39: .number
    case 0x09...0x0D, 0x20: .space
    case 0x24, 0x2B, 0x3C...0x3E, 0x5E, 0x60, 0x7C, 0x7E: .symbol
    case 0x21..<0x7F: .punctuation
    case 0..<0x80: .symbol
    default: outsideASCII(scalar)
    }
  }

  private static func outsideASCII(_ value: UInt32) -> ScalarClasses {
    guard let scalar = Unicode.Scalar(value) else { return .symbol }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .titlecaseLetter: return .upper
    case .lowercaseLetter: return .lower
    case .modifierLetter, .otherLetter: return .caseless
    case .nonspacingMark, .spacingMark, .enclosingMark: return .mark
    case .decimalNumber, .letterNumber, .otherNumber: return .number
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
      .initialPunctuation, .finalPunctuation, .otherPunctuation:
      return .punctuation
    default: return scalar.properties.isWhitespace ? .space : .symbol
    }
  }
}

extension Span<UInt8> {
  /// The class of the scalar at a byte index, and the index after it.
  func scalarClass(at index: Int) -> (class: ScalarClasses, end: Int) {
    if self[index] < 0x80 { return (ScalarClasses.of(UInt32(self[index])), index + 1) }
    let (scalar, byteCount) = self.scalar(at: index)
    return (ScalarClasses.of(scalar), index + byteCount)
  }

  /// The end of the run of scalars of some classes from `start` on.
  func runEnd(of classes: ScalarClasses, from start: Int) -> Int {
    var end = start
    while end < count {
      let next = scalarClass(at: end)
      guard classes.contains(next.class) else { break }
      end = next.end
    }
    return end
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
