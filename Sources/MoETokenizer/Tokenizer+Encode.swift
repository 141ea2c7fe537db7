extension Tokenizer {
  /// The tokens of a text.
  ///
  /// With `addSpecial` the begin and end tokens are added where the model wants them. With
  /// `parseSpecial` text that reads like a control token becomes that token, so it is for prompts
  /// that a chat template made; text from users must be encoded without it. User-defined tokens are
  /// recognised in both cases. Takes O(n log n) time, whatever the text.
  public func encode(
    _ text: String, addSpecial: Bool = true, parseSpecial: Bool = true
  ) -> [Int32] {
    var tokens: [Int32] = []
    if addSpecial && addsBeginToken, let beginToken { tokens.append(beginToken) }
    appendTokens(of: Array(text.utf8).span, parseSpecial: parseSpecial, to: &tokens)
    if addSpecial && addsEndToken, let endToken { tokens.append(endToken) }
    return tokens
  }

  /// The tokens of bytes that should be UTF-8; those that are not become U+FFFD.
  public func encode(
    bytes: some Sequence<UInt8>, addSpecial: Bool = true, parseSpecial: Bool = true
  ) -> [Int32] {
    encode(
      String(decoding: Array(bytes), as: UTF8.self), addSpecial: addSpecial,
      parseSpecial: parseSpecial)
  }

  private func appendTokens(of text: Span<UInt8>, parseSpecial: Bool, to tokens: inout [Int32]) {
    var merger = BytePairMerger(
      merges: merges, byteTokens: byteTokens, unknownToken: unknownToken)
    let special = parseSpecial ? specialTokens : userDefinedTokens
    var end = 0
    for match in special.matches(in: text) {
      let fragment = text.extracting(end..<match.bytes.lowerBound)
      appendTokens(ofFragment: fragment, with: &merger, to: &tokens)
      tokens.append(match.token)
      end = match.bytes.upperBound
    }
    appendTokens(ofFragment: text.extracting(end...), with: &merger, to: &tokens)
  }

  /// Tokens of text without special tokens, word by word.
  private func appendTokens(
    ofFragment text: Span<UInt8>, with merger: inout BytePairMerger, to tokens: inout [Int32]
  ) {
    var start = 0
    while start < text.count {
      let end = preTokenizer.wordEnd(in: text, from: start)
      merger.append(text.extracting(start..<end), to: &tokens)
      start = end
    }
  }
}
