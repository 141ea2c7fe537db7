package import MoECore

/// Reads JSON value by value (RFC 8259), as its readers ask for it.
///
/// Foundation's decoder builds a value for each of the hundreds of thousands of words and tensors
/// that these files list, which takes seconds, and keeps one of two members of the same name
/// without a word. Here nothing is built that nobody asked for, every member is seen, and nesting
/// is bounded.
package struct JSONReader {
  /// Files of models nest less than ten deep.
  static let depthMax = 64

  private let bytes: [UInt8]
  package private(set) var position = 0
  private var depth = 0
  /// Whether a value of the object or array that is being read has been read.
  private var isBehindValue = false

  package init(_ bytes: [UInt8]) {
    self.bytes = bytes
    // A byte-order mark is not JSON, but editors write it.
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
  }

  package enum Kind { case object, array, string, number, bool, null }

  /// What the next value is.
  package mutating func kind() throws(JSONError) -> Kind {
    skipSpace()
    switch peek ?? 0 {
    case UInt8(ascii: "{"): return .object
    case UInt8(ascii: "["): return .array
    case UInt8(ascii: "\""): return .string
    case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
    case UInt8(ascii: "n"): return .null
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
    default: throw error("a value")
    }
  }

  /// Enters an object, whose members `nextName` then gives.
  package mutating func beginObject() throws(JSONError) { try begin("{", "an object") }

  /// Enters an array, whose elements `hasElement` then announces.
  package mutating func beginArray() throws(JSONError) { try begin("[", "an array") }

  /// The name of the object's next member, whose value must be read next; nil at the end.
  package mutating func nextName() throws(JSONError) -> String? {
    guard try hasNext(before: "}") else { return nil }
    let name = try string()
    try skipColon()
    return name
  }

  /// The same with the name's bytes appended to others.
  package mutating func nextName(appendingTo text: inout [UInt8]) throws(JSONError) -> Bool {
    guard try hasNext(before: "}") else { return false }
    try string(appendingTo: &text)
    try skipColon()
    return true
  }

  /// Whether the array has one more element, which must be read next.
  package mutating func hasElement() throws(JSONError) -> Bool { try hasNext(before: "]") }

  package mutating func string() throws(JSONError) -> String {
    var text: [UInt8] = []
    try string(appendingTo: &text)
    guard let string = String(validating: text, as: UTF8.self) else {
      throw JSONError(position: position, wanted: "text in UTF-8")
    }
    return string
  }

  /// Appends the bytes that a string stands for; they may be no UTF-8 if those of the file are
  /// none.
  package mutating func string(appendingTo text: inout [UInt8]) throws(JSONError) {
    skipSpace()
    guard take("\"") else { throw error("a string") }
    while true {
      // What needs no second look is copied as a whole.
      let start = position
      while position < bytes.count, bytes[position] != UInt8(ascii: "\""),
        bytes[position] != UInt8(ascii: "\\"), bytes[position] >= 0x20
      {
        position += 1
      }
      text.append(contentsOf: bytes[start..<position])
      if take("\"") { break }
      guard take("\\") else { throw error("the rest of a string") }
      try escape(appendingTo: &text)
    }
    isBehindValue = true
  }

  package mutating func integer() throws(JSONError) -> Int {
    let text = try numeral()
    if let value = Int(text) { return value }
    if let number = Double(text), let value = Int(exactly: number) { return value }
    throw error("an integer of 64 bits")
  }

  package mutating func number() throws(JSONError) -> Double {
    guard let number = Double(try numeral()), number.isFinite else { throw error("a number") }
    return number
  }

  package mutating func bool() throws(JSONError) -> Bool {
    skipSpace()
    if takeWord("true") { return true }
    if takeWord("false") { return false }
    throw error("true or false")
  }

  /// Whether the next value is null, which is then passed.
  package mutating func takeNull() -> Bool {
    skipSpace()
    return takeWord("null")
  }

  /// Passes a value over, checked all the same.
  package mutating func skip() throws(JSONError) {
    switch try kind() {
    case .object:
      try beginObject()
      while try nextName() != nil { try skip() }
    case .array:
      try beginArray()
      while try hasElement() { try skip() }
    case .string:
      var text: [UInt8] = []
      try string(appendingTo: &text)
    case .number: _ = try number()
    case .bool: _ = try bool()
    case .null: if !takeNull() { throw error("null") }
    }
  }

  /// After the last value there is nothing but white space.
  package mutating func end() throws(JSONError) {
    skipSpace()
    if position < bytes.count { throw error("the end of the text") }
  }

  package func error(_ wanted: String) -> JSONError {
    JSONError(position: position, wanted: wanted)
  }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard peek == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func takeWord(_ word: String) -> Bool {
    let end = position + word.utf8.count
    guard end <= bytes.count, bytes[position..<end].elementsEqual(word.utf8) else { return false }
    position = end
    isBehindValue = true
    return true
  }

  private mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      position += 1
    }
  }

  private mutating func begin(_ opening: Unicode.Scalar, _ what: String) throws(JSONError) {
    skipSpace()
    guard take(opening) else { throw error(what) }
    depth += 1
    if depth > Self.depthMax { throw error("fewer than \(Self.depthMax) values in each other") }
    isBehindValue = false
  }

  private mutating func hasNext(before closing: Unicode.Scalar) throws(JSONError) -> Bool {
    skipSpace()
    if take(closing) {
      depth -= 1
      isBehindValue = true
      return false
    }
    if isBehindValue && !take(",") { throw error("a comma or \(closing)") }
    return true
  }

  private mutating func skipColon() throws(JSONError) {
    skipSpace()
    guard take(":") else { throw error("a colon") }
  }

  private mutating func numeral() throws(JSONError) -> String {
    skipSpace()
    let start = position
    while let byte = peek,
      (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x2B || byte == 0x2E
        || byte | 0x20 == 0x65
    {
      position += 1
    }
    guard position > start, position - start < 64 else { throw error("a number") }
    isBehindValue = true
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  /// After a backslash.
  private mutating func escape(appendingTo text: inout [UInt8]) throws(JSONError) {
    guard let character = peek else { throw error("the rest of a string") }
    position += 1
    switch character {
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(character)
    case UInt8(ascii: "u"):
      var value = try fourDigits()
      if (0xD800..<0xDC00).contains(value), take("\\"), take("u") {
        let low = try fourDigits()
        guard (0xDC00..<0xE000).contains(low) else { throw error("the second half of a pair") }
        value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(value) else { throw error("a whole character") }
      text.append(contentsOf: String(scalar).utf8)
    default: throw error("an escape that JSON has")
    }
  }

  private mutating func fourDigits() throws(JSONError) -> UInt32 {
    guard position + 4 <= bytes.count,
      let value = UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
    else { throw error("four hexadecimal digits") }
    position += 4
    return value
  }
}
