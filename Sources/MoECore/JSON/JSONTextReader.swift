/// Reads a JSON text (RFC 8259) as a whole.
struct JSONTextReader {
  private let bytes: [UInt8]
  private var position = 0
  private var depth = 0

  static func read(_ text: String) throws(JSONError) -> JSON {
    var reader = JSONTextReader(bytes: Array(text.utf8))
    let value = try reader.value()
    reader.skipSpace()
    guard reader.position == reader.bytes.count else { throw reader.error("its end") }
    return value
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private func error(_ wanted: String) -> JSONError {
    JSONError(position: position, wanted: wanted)
  }

  private mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      position += 1
    }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard peek == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func take(word: String) -> Bool {
    guard bytes[position...].starts(with: word.utf8) else { return false }
    position += word.utf8.count
    return true
  }

  private mutating func value() throws(JSONError) -> JSON {
    depth += 1
    defer { depth -= 1 }
    if depth > JSON.nestingMax { throw error("fewer values in each other") }
    skipSpace()
    switch peek {
    case UInt8(ascii: "{"): return try object()
    case UInt8(ascii: "["): return try array()
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): if take(word: "true") { return .bool(true) }
    case UInt8(ascii: "f"): if take(word: "false") { return .bool(false) }
    case UInt8(ascii: "n"): if take(word: "null") { return .null }
    default: if let text = numeral() { return .number(text) }
    }
    throw error("a value")
  }

  private mutating func object() throws(JSONError) -> JSON {
    position += 1
    var members: [JSONMember] = []
    skipSpace()
    if take("}") { return .object(members) }
    while true {
      skipSpace()
      let name = try string()
      skipSpace()
      guard take(":") else { throw error("a colon") }
      members.append(JSONMember(name: name, value: try value()))
      skipSpace()
      if take("}") { return .object(members) }
      guard take(",") else { throw error("a comma or }") }
    }
  }

  private mutating func array() throws(JSONError) -> JSON {
    position += 1
    var elements: [JSON] = []
    skipSpace()
    if take("]") { return .array(elements) }
    while true {
      elements.append(try value())
      skipSpace()
      if take("]") { return .array(elements) }
      guard take(",") else { throw error("a comma or ]") }
    }
  }

  /// A number's text; nil where there is none. A number is at most 1,024 characters long.
  private mutating func numeral() -> String? {
    let start = position
    func digits() -> Int {
      let first = position
      while let byte = peek, (0x30...0x39).contains(byte) { position += 1 }
      return position - first
    }
    _ = take("-")
    let whole = position
    let wholeCount = digits()
    if wholeCount == 0 || (wholeCount > 1 && bytes[whole] == UInt8(ascii: "0")) { return nil }
    if take("."), digits() == 0 { return nil }
    if take("e") || take("E") {
      if !take("+") { _ = take("-") }
      if digits() == 0 { return nil }
    }
    guard position - start <= 1024 else { return nil }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func string() throws(JSONError) -> String {
    guard take("\"") else { throw error("a string") }
    var text: [UInt8] = []
    while true {
      let start = position
      while let byte = peek, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 {
        position += 1
      }
      text.append(contentsOf: bytes[start..<position])
      if take("\"") { return String(decoding: text, as: UTF8.self) }
      guard take("\\") else { throw error("the rest of a string") }
      text.append(contentsOf: String(try escape()).utf8)
    }
  }

  /// After a backslash. A lone half of a surrogate pair becomes the replacement character.
  private mutating func escape() throws(JSONError) -> Unicode.Scalar {
    guard let byte = peek else { throw error("the rest of a string") }
    position += 1
    switch byte {
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "u"):
      let high = try fourDigits()
      guard (0xD800..<0xDC00).contains(high) else { return Unicode.Scalar(high) ?? "\u{FFFD}" }
      let start = position
      if take("\\"), take("u") {
        let low = try fourDigits()
        if (0xDC00..<0xE000).contains(low) {
          let value = 0x10000 + (high - 0xD800) << 10 + (low - 0xDC00)
          return Unicode.Scalar(value) ?? "\u{FFFD}"
        }
      }
      position = start
      return "\u{FFFD}"
    default: throw error("an escape that JSON has")
    }
  }

  private mutating func fourDigits() throws(JSONError) -> UInt32 {
    guard position + 4 <= bytes.count else { throw error("four hexadecimal digits") }
    let digits = bytes[position..<position + 4]
    guard digits.allSatisfy({ Unicode.Scalar($0).properties.isASCIIHexDigit }),
      let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw error("four hexadecimal digits") }
    position += 4
    return value
  }
}
