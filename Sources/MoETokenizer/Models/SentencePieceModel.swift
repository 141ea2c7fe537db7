import MoECore

/// SentencePiece's byte-pair encoding (Kudo and Richardson 2018), which files call `llama`.
///
/// Text is not cut into words. Spaces become `▁`; neighbouring pieces join where the result is a
/// piece of the vocabulary, the one of the highest score first. Characters that are in no piece
/// are spelled in bytes (`<0x0A>`) or, where these are missing, are the unknown token.
struct SentencePieceModel: TextModel {
  let rules: PieceRules
  /// Token of each byte, or `PairMerger.noToken`.
  let byteTokens: [Int32]
  let unknownToken: Int32?
  let addsSpacePrefix: Bool
  /// Whether runs of spaces become one, and those at the ends none.
  let removesExtraSpaces: Bool
  /// Whether no piece has a space after another character, so that text can be cut before spaces.
  let breaksAtSpaces: Bool

  /// U+2581, which stands for a space.
  static let spaceMark: [UInt8] = [0xE2, 0x96, 0x81]

  var byteCount: Int {
    rules.table.byteCount + rules.ranks.count * MemoryLayout<Int32>.stride
  }

  static func make(
    _ metadata: TokenizerMetadata, _ vocabulary: Vocabulary
  ) throws(TokenizerError) -> MadeTextModel {
    let scores = try metadata.scores(count: vocabulary.texts.count)
    let rules = PieceRules(
      table: vocabulary.table, kinds: vocabulary.kinds, ranks: PieceRules.ranks(of: scores))
    let model = SentencePieceModel(
      rules: rules,
      byteTokens: (UInt8.min...UInt8.max).map { byte in
        let token = vocabulary.table.token(for: Array(byteName(byte).utf8).span)
        guard let token, vocabulary.kinds[Int(token)] != .control else { return -1 }
        return token
      },
      unknownToken: vocabulary.unknownToken
        ?? vocabulary.kinds.firstIndex(of: .unknown).map { Int32($0) },
      addsSpacePrefix: try metadata.flag(MetadataKey.addSpacePrefix) ?? true,
      removesExtraSpaces: try metadata.flag(MetadataKey.removeExtraSpaces) ?? false,
      breaksAtSpaces: rules.breaksAtSpaces(vocabulary.texts))
    let defaults = TextModelDefaults(addsBeginToken: true, beginText: "<s>", endText: "</s>")
    return MadeTextModel(model: model, defaults: defaults)
  }

  /// How the vocabulary writes a byte: `<0x0A>`.
  private static func byteName(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16, uppercase: true)
    return "<0x" + (digits.count == 1 ? "0" : "") + digits + ">"
  }

  func encoder() -> any RunEncoder { SentencePieceEncoder(self) }

  /// Spaces take the place of their marks.
  func appendBytes(spelledBy text: ArraySlice<UInt8>, to bytes: inout [UInt8]) {
    let span = text.span
    var index = 0
    while index < span.count {
      if span.hasSpaceMark(at: index) {
        bytes.append(UInt8(ascii: " "))
        index += Self.spaceMark.count
      } else {
        bytes.append(span[index])
        index += 1
      }
    }
  }
}

/// Which pieces join: two whose texts together are a piece's.
struct PieceRules: MergeRules {
  let table: TokenTextTable
  let kinds: [TokenKind]
  /// Place of each token's score among all scores, the highest first.
  let ranks: [Int32]

  func join(_ left: Int32, _ right: Int32, _ word: Span<UInt8>, _ range: Range<Int>) -> Int32? {
    piece(word.extracting(range))
  }

  func rank(of join: Int32) -> Int32 { ranks[Int(join)] }

  func token(of join: Int32) -> Int32 { join }

  /// The token with a text; never a control token, whatever the text is.
  func piece(_ text: Span<UInt8>) -> Int32? {
    guard text.count <= table.textByteCountMax, let token = table.token(for: text),
      kinds[Int(token)].isText
    else { return nil }
    return token
  }

  /// Equal scores have equal ranks.
  static func ranks(of scores: [Float]) -> [Int32] {
    let order = scores.indices.sorted { scores[$0] > scores[$1] }
    var ranks = [Int32](repeating: 0, count: scores.count)
    var rank: Int32 = 0
    for (place, token) in order.enumerated() {
      if place > 0, scores[token] < scores[order[place - 1]] { rank += 1 }
      ranks[token] = rank
    }
    return ranks
  }

  func breaksAtSpaces(_ texts: PackedStrings) -> Bool {
    for token in 0..<texts.count where kinds[token].isText {
      let text = texts[token].span
      var isInWord = false
      var index = 0
      while index < text.count {
        let isMark = text.hasSpaceMark(at: index)
        if isMark && isInWord { return false }
        isInWord = !isMark
        index += isMark ? SentencePieceModel.spaceMark.count : 1
      }
    }
    return true
  }
}

extension Span<UInt8> {
  /// Whether `SentencePieceModel.spaceMark` is at a byte index.
  func hasSpaceMark(at index: Int) -> Bool {
    guard self[index] == 0xE2, index + 3 <= count else { return false }
    return self[index + 1] == 0x96 && self[index + 2] == 0x81
  }
}
