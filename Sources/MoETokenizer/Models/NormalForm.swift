// The standard library composes characters; it has no public name for that yet.
@_spi(_Unicode) private import Swift

/// Unicode's normal form C, which some published tokenizers bring text to.
enum NormalForm {
  /// The text composed; nil where it is ASCII alone, which stays as it is.
  static func composed(_ text: Span<UInt8>) -> [UInt8]? {
    var isASCII = true
    for index in text.indices where text[index] >= 0x80 { isASCII = false }
    if isASCII { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    for index in text.indices { bytes.append(text[index]) }
    var scalars = String.UnicodeScalarView()
    for scalar in String(decoding: bytes, as: UTF8.self)._nfc { scalars.append(scalar) }
    return Array(String(scalars).utf8)
  }
}
