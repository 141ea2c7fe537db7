import MoECore

/// What SentencePiece does to text before it is made of pieces: characters are replaced, spaces
/// tidied and written as `▁`; and where the text can be cut into words without changing its pieces.
struct PieceText: Sendable {
  /// Nil where characters stay as they are.
  let characterMap: CharacterMap?
  /// Whether each run of text begins with a space.
  let addsSpacePrefix: Bool
  /// Whether runs of spaces become one, and those at the ends none.
  let removesExtraSpaces: Bool
  /// Whether a piece has a space after a byte: text can't be cut between the two.
  private let hasSpaceAfter: [Bool]

  /// U+2581, which stands for a space.
  static let spaceMark: [UInt8] = [0xE2, 0x96, 0x81]

  var byteCount: Int { (characterMap?.byteCount ?? 0) + hasSpaceAfter.count }

  init(
    _ vocabulary: Vocabulary, characterMap: CharacterMap?, addsSpacePrefix: Bool,
    removesExtraSpaces: Bool
  ) {
    self.characterMap = characterMap
    self.addsSpacePrefix = addsSpacePrefix
    self.removesExtraSpaces = removesExtraSpaces
    var hasSpaceAfter = [Bool](repeating: false, count: 256)
    for token in 0..<vocabulary.texts.count where vocabulary.kinds[token].isText {
      let text = vocabulary.texts[token].span
      // From the last mark backwards, a mark that no mark stands before.
      var index = text.count - Self.spaceMark.count
      while index > 0 {
        let isMark = text[index] == Self.spaceMark[0] && text.hasSpaceMark(at: index)
        let isAfterMark = index >= 3 && text.hasSpaceMark(at: index - 3)
        if isMark && !isAfterMark { hasSpaceAfter[Int(text[index - 1])] = true }
        index -= 1
      }
    }
    self.hasSpaceAfter = hasSpaceAfter
  }

  /// Whether a word can end with these bytes before a space. A mark that the text itself has counts
  /// as a space: it could be part of a piece of several.
  func canCut(after word: [UInt8]) -> Bool {
    guard let last = word.last, !hasSpaceAfter[Int(last)] else { return false }
    let mark = Self.spaceMark
    return word.count < mark.count || !word.span.hasSpaceMark(at: word.count - mark.count)
  }

  /// The text as pieces are to be found in it, but for marks and prefix.
  func tidied(_ run: Span<UInt8>) -> [UInt8] {
    guard let characterMap else { return withoutExtraSpaces(run) }
    return withoutExtraSpaces(characterMap.normalized(run).span)
  }

  private func withoutExtraSpaces(_ run: Span<UInt8>) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(run.count)
    var hasSpace = false
    for index in run.indices {
      if removesExtraSpaces && run[index] == UInt8(ascii: " ") {
        hasSpace = !text.isEmpty
      } else {
        if hasSpace { text.append(UInt8(ascii: " ")) }
        text.append(run[index])
        hasSpace = false
      }
    }
    return text
  }

  /// The bytes of a piece with spaces in the place of their marks.
  static func appendBytes(spelledBy text: ArraySlice<UInt8>, to bytes: inout [UInt8]) {
    let span = text.span
    var index = 0
    while index < span.count {
      if span.hasSpaceMark(at: index) {
        bytes.append(UInt8(ascii: " "))
        index += spaceMark.count
      } else {
        bytes.append(span[index])
        index += 1
      }
    }
  }
}

extension Span<UInt8> {
  /// Whether `PieceText.spaceMark` is at a byte index.
  func hasSpaceMark(at index: Int) -> Bool {
    guard self[index] == 0xE2, index + 3 <= count else { return false }
    return self[index + 1] == 0x96 && self[index + 2] == 0x81
  }
}
