/// Encodes runs of text in the way of `SentencePieceModel`.
struct SentencePieceEncoder: RunEncoder {
  private let model: SentencePieceModel
  private var merger: PairMerger<PieceRules>
  /// Text with marks for spaces, up to where it can be cut.
  private var word: [UInt8] = []

  init(_ model: SentencePieceModel) {
    self.model = model
    merger = PairMerger(rules: model.rules)
  }

  mutating func append(_ run: Span<UInt8>, to tokens: inout [Int32]) {
    if model.removesExtraSpaces {
      let text = Self.withoutExtraSpaces(run)
      if !text.isEmpty { appendWords(of: text.span, to: &tokens) }
    } else {
      appendWords(of: run, to: &tokens)
    }
  }

  private mutating func appendWords(of run: Span<UInt8>, to tokens: inout [Int32]) {
    if model.addsSpacePrefix { word += SentencePieceModel.spaceMark }
    for index in run.indices {
      if run[index] != UInt8(ascii: " ") {
        word.append(run[index])
        continue
      }
      if model.breaksAtSpaces && !word.isEmpty && !wordEndsInMark { flush(to: &tokens) }
      word += SentencePieceModel.spaceMark
    }
    flush(to: &tokens)
  }

  /// Encodes the text so far. It is taken out for the while: a span of it forbids other changes.
  private mutating func flush(to tokens: inout [Int32]) {
    var text: [UInt8] = []
    swap(&text, &word)
    append(word: text.span, to: &tokens)
    text.removeAll(keepingCapacity: true)
    swap(&text, &word)
  }

  /// A mark that the text itself has counts too: it could be part of a piece of several.
  private var wordEndsInMark: Bool {
    let mark = SentencePieceModel.spaceMark
    return word.count >= mark.count && word.span.hasSpaceMark(at: word.count - mark.count)
  }

  private mutating func append(word: Span<UInt8>, to tokens: inout [Int32]) {
    merger.begin()
    var start = 0
    while start < word.count {
      let byteCount = word.scalar(at: start).byteCount
      let token = model.rules.piece(word.extracting(start..<start + byteCount))
      merger.append(token: token ?? -1, byteCount: byteCount)
      start += byteCount
    }
    var endsUnknown = false
    merger.merge(word)
    start = 0
    while start < word.count {
      let (token, end) = merger.symbol(at: start)
      if token >= 0 {
        tokens.append(token)
        endsUnknown = false
      } else {
        appendBytes(of: word.extracting(start..<end), to: &tokens, endsUnknown: &endsUnknown)
      }
      start = end
    }
  }

  /// The bytes of a character that is no piece. Where the vocabulary lacks one of them, a run of
  /// such characters is one unknown token, or is left out if there is none.
  private func appendBytes(
    of character: Span<UInt8>, to tokens: inout [Int32], endsUnknown: inout Bool
  ) {
    let countBefore = tokens.count
    for index in character.indices {
      let token = model.byteTokens[Int(character[index])]
      if token >= 0 {
        tokens.append(token)
        continue
      }
      tokens.removeSubrange(countBefore...)
      if let unknownToken = model.unknownToken, !endsUnknown { tokens.append(unknownToken) }
      endsUnknown = true
      return
    }
    endsUnknown = false
  }

  /// The text with single spaces inside and none at its ends.
  private static func withoutExtraSpaces(_ run: Span<UInt8>) -> [UInt8] {
    var text: [UInt8] = []
    var hasSpace = false
    for index in run.indices {
      if run[index] == UInt8(ascii: " ") {
        hasSpace = !text.isEmpty
      } else {
        if hasSpace { text.append(UInt8(ascii: " ")) }
        text.append(run[index])
        hasSpace = false
      }
    }
    return text
  }
}
