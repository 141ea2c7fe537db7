/// Reads the inside of a JSON string, from behind its first quote.
///
/// What is no escape of JSON stands for itself, and half of a surrogate pair is U+FFFD.
struct OutputUnescaper: Sendable {
  private enum Place { case plain, escape, digits }

  private var place = Place.plain
  private var value: UInt32 = 0
  /// The digits of the escape so far, four at most.
  private var digits: [UInt8] = []
  /// The first half of a pair, until the second one comes.
  private var highSurrogate: UInt32?

  /// Appends what the byte stands for; returns true at the closing quote.
  mutating func read(_ byte: UInt8, text: inout [UInt8]) -> Bool {
    switch place {
    case .plain:
      if byte == UInt8(ascii: "\\") {
        place = .escape
        return false
      }
      flushSurrogate(to: &text)
      if byte == UInt8(ascii: "\"") { return true }
      text.append(byte)
    case .escape: readEscape(byte, text: &text)
    case .digits: return readDigit(byte, text: &text)
    }
    return false
  }

  private mutating func readEscape(_ byte: UInt8, text: inout [UInt8]) {
    place = .plain
    if byte == UInt8(ascii: "u") {
      place = .digits
      value = 0
      digits.removeAll(keepingCapacity: true)
      return
    }
    flushSurrogate(to: &text)
    switch byte {
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    default:
      text.append(UInt8(ascii: "\\"))
      text.append(byte)
    }
  }

  private mutating func readDigit(_ byte: UInt8, text: inout [UInt8]) -> Bool {
    guard let digit = byte.outputHexDigit else {
      place = .plain
      flushSurrogate(to: &text)
      text.append(contentsOf: "\\u".utf8)
      text.append(contentsOf: digits)
      return read(byte, text: &text)
    }
    value = value << 4 | digit
    digits.append(byte)
    guard digits.count == 4 else { return false }
    place = .plain
    if let high = highSurrogate, (0xDC00..<0xE000).contains(value) {
      highSurrogate = nil
      append(0x10000 + (high - 0xD800) << 10 + (value - 0xDC00), to: &text)
      return false
    }
    flushSurrogate(to: &text)
    if (0xD800..<0xDC00).contains(value) { highSurrogate = value } else { append(value, to: &text) }
    return false
  }

  private mutating func flushSurrogate(to text: inout [UInt8]) {
    guard highSurrogate != nil else { return }
    highSurrogate = nil
    text.append(contentsOf: "\u{FFFD}".utf8)
  }

  private func append(_ value: UInt32, to text: inout [UInt8]) {
    text.append(contentsOf: String(Unicode.Scalar(value) ?? "\u{FFFD}").utf8)
  }
}
