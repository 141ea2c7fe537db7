/// Makes JSON strings of texts.
package enum JSONString {
  /// Appends a byte as it is written inside a JSON string.
  package static func append(_ byte: UInt8, to text: inout [UInt8]) {
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"):
      text.append(UInt8(ascii: "\\"))
      text.append(byte)
    case 0x0A: text.append(contentsOf: "\\n".utf8)
    case 0x0D: text.append(contentsOf: "\\r".utf8)
    case 0x09: text.append(contentsOf: "\\t".utf8)
    case 0..<0x20:
      text.append(contentsOf: "\\u00".utf8)
      for digit in [byte >> 4, byte & 15] { text.append(digit < 10 ? 0x30 + digit : 0x57 + digit) }
    default: text.append(byte)
    }
  }

  /// A text as a JSON string, with its quotes.
  package static func quoted(_ text: some Collection<UInt8>) -> [UInt8] {
    var result: [UInt8] = [UInt8(ascii: "\"")]
    for byte in text { append(byte, to: &result) }
    result.append(UInt8(ascii: "\""))
    return result
  }
}
