extension UInt8 {
  /// Whether the byte is white space in JSON and around markers.
  var isOutputSpace: Bool { self == 0x20 || self == 0x0A || self == 0x0D || self == 0x09 }

  /// The byte's value as a hexadecimal digit.
  var outputHexDigit: UInt32? {
    switch self {
    case 0x30...0x39: UInt32(self) - 0x30
    case 0x41...0x46: UInt32(self) - 0x37
    case 0x61...0x66: UInt32(self) - 0x57
    default: nil
    }
  }
}

/// Helpers on texts as bytes.
enum OutputBytes {
  /// The text without white space at both ends.
  static func trimmed(_ bytes: some BidirectionalCollection<UInt8>) -> [UInt8] {
    var rest = bytes[...]
    while let first = rest.first, first.isOutputSpace { rest = rest.dropFirst() }
    while let last = rest.last, last.isOutputSpace { rest = rest.dropLast() }
    return Array(rest)
  }

  static func string(_ bytes: some Collection<UInt8>) -> String {
    String(decoding: bytes, as: UTF8.self)
  }

  /// Where `part` is found first at or after `start`.
  static func firstIndex(of part: String, in text: [UInt8], from start: Int = 0) -> Int? {
    let part = Array(part.utf8)
    guard let first = part.first, text.count - start >= part.count else { return nil }
    for index in start...(text.count - part.count) where text[index] == first {
      if text[index...].starts(with: part) { return index }
    }
    return nil
  }

  /// How many bytes at the end could still become a character: three at most. (The Unicode
  /// Standard 15.0, table 3-7.)
  static func unfinishedByteCount(_ bytes: [UInt8]) -> Int {
    for count in 1...3 where count <= bytes.count {
      let lead = bytes[bytes.count - count]
      if lead & 0xC0 == 0x80 { continue }
      guard let seconds = secondBytes(after: lead) else { return 0 }
      let whole = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
      if whole <= count { return 0 }
      return count == 1 || seconds.contains(bytes[bytes.count - count + 1]) ? count : 0
    }
    return 0
  }

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
