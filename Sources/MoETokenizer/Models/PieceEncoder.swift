/// Finds the pieces of a word: text with marks for spaces, up to where it can be cut.
protocol WordPieces {
  mutating func append(word: Span<UInt8>, to tokens: inout [Int32])
}

/// Encodes runs of text in pieces, word by word.
struct PieceEncoder<Pieces: WordPieces>: RunEncoder {
  private let text: PieceText
  private var pieces: Pieces
  private var cache: WordCache?
  private var word: [UInt8] = []

  init(_ text: PieceText, _ pieces: Pieces) {
    self.text = text
    self.pieces = pieces
  }

  mutating func append(_ run: Span<UInt8>, to tokens: inout [Int32]) {
    if cache == nil { cache = WordCache(textByteCount: run.count) }
    if text.removesExtraSpaces || text.characterMap != nil {
      let tidied = text.tidied(run)
      if !tidied.isEmpty { appendWords(of: tidied.span, to: &tokens) }
    } else {
      appendWords(of: run, to: &tokens)
    }
  }

  private mutating func appendWords(of run: Span<UInt8>, to tokens: inout [Int32]) {
    if text.addsSpacePrefix { word += PieceText.spaceMark }
    for index in run.indices {
      if run[index] != UInt8(ascii: " ") {
        word.append(run[index])
        continue
      }
      if text.canCut(after: word) { flush(to: &tokens) }
      word += PieceText.spaceMark
    }
    flush(to: &tokens)
  }

  /// Encodes the word so far. It is taken out for the while: a span of it forbids other changes.
  private mutating func flush(to tokens: inout [Int32]) {
    var text: [UInt8] = []
    swap(&text, &word)
    if cache?.append(text.span, to: &tokens) != true {
      let start = tokens.count
      pieces.append(word: text.span, to: &tokens)
      cache?.remember(text.span, tokens, from: start)
    }
    text.removeAll(keepingCapacity: true)
    swap(&text, &word)
  }
}

/// The pieces of a vocabulary, and what stands for characters that are in none.
struct Pieces: Sendable {
  let table: TokenTextTable
  let kinds: [TokenKind]
  /// Token of each byte, or `PairMerger.noToken`.
  let byteTokens: [Int32]
  let unknownToken: Int32?

  init(_ vocabulary: Vocabulary) {
    table = vocabulary.table
    kinds = vocabulary.kinds
    byteTokens = (UInt8.min...UInt8.max).map { byte in
      let token = vocabulary.table.token(for: Array(Self.name(of: byte).utf8).span)
      guard let token, vocabulary.kinds[Int(token)] != .control else { return -1 }
      return token
    }
    unknownToken =
      vocabulary.unknownToken ?? vocabulary.kinds.firstIndex(of: .unknown).map { Int32($0) }
  }

  /// How the vocabulary writes a byte: `<0x0A>`.
  private static func name(of byte: UInt8) -> String {
    let digits = String(byte, radix: 16, uppercase: true)
    return "<0x" + (digits.count == 1 ? "0" : "") + digits + ">"
  }

  /// The token with a text; never a control token, whatever the text is.
  func token(for text: Span<UInt8>) -> Int32? {
    guard text.count <= table.textByteCountMax, let token = table.token(for: text),
      kinds[Int(token)].isText
    else { return nil }
    return token
  }

  /// Appends the bytes of a character that is no piece. Where the vocabulary lacks one of them, a
  /// run of such characters is one unknown token, or is left out if there is none.
  func appendBytes(
    of character: Span<UInt8>, to tokens: inout [Int32], endsUnknown: inout Bool
  ) {
    let countBefore = tokens.count
    for index in character.indices {
      let token = byteTokens[Int(character[index])]
      if token >= 0 {
        tokens.append(token)
        continue
      }
      tokens.removeSubrange(countBefore...)
      if let unknownToken, !endsUnknown { tokens.append(unknownToken) }
      endsUnknown = true
      return
    }
    endsUnknown = false
  }
}
