/// Text of characters that JSON strings hold as they are: no control character, quote or backslash.
///
/// Most tokens are plain text, and most of what a grammar leaves free is: where any such character
/// may stand, whole subtrees of them are allowed without a look at each.
enum PlainText {
  static let characters = ScalarSet([
    0x00...0x1F, 0x22...0x22, 0x5C...0x5C, 0x7F...0x7F,
  ]).complement

  /// The ways to write such a character.
  static let ways = ScalarBytes.utf8(characters)

  /// Whether bytes are whole characters of plain text.
  static func contains(_ bytes: ArraySlice<UInt8>) -> Bool {
    var rest = bytes
    while let first = rest.first {
      if first < 0x80 {
        if first < 0x20 || first == 0x22 || first == 0x5C || first == 0x7F { return false }
        rest = rest.dropFirst()
        continue
      }
      let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
      guard rest.count >= length else { return false }
      let character = rest.prefix(length)
      // Swift repairs what isn't UTF-8, and then the bytes differ.
      guard String(decoding: character, as: UTF8.self).utf8.elementsEqual(character) else {
        return false
      }
      rest = rest.dropFirst(length)
    }
    return true
  }
}
