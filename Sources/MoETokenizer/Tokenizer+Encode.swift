extension Tokenizer {
  /// The tokens of a text.
  ///
  /// With `addSpecial` the begin and end tokens are added where the model wants them. With
  /// `parseSpecial` text that reads like a control token becomes that token, so it is for texts
  /// that a template or the program's user made with this in mind. User-defined tokens are
  /// recognised in both cases. Takes O(n log n) time, whatever the text.
  public func encode(
    _ text: String, addSpecial: Bool = true, parseSpecial: Bool = false
  ) -> [Int32] {
    encode([parseSpecial ? .markup(text) : .text(text)], addSpecial: addSpecial)
  }

  /// The tokens of bytes that should be UTF-8; those that are not become U+FFFD.
  public func encode(
    bytes: some Sequence<UInt8>, addSpecial: Bool = true, parseSpecial: Bool = false
  ) -> [Int32] {
    encode(
      String(decoding: Array(bytes), as: UTF8.self), addSpecial: addSpecial,
      parseSpecial: parseSpecial)
  }

  /// The tokens of a prompt; only segments that are not plain text can give control tokens.
  public func encode(_ segments: [PromptSegment], addSpecial: Bool = true) -> [Int32] {
    var prompt = PromptEncoder(self)
    if addSpecial && addsBeginToken, let beginToken { prompt.append(beginToken) }
    for segment in segments {
      switch segment {
      case .text(let text): prompt.append(Array(text.utf8).span, special: userDefinedTokens)
      case .markup(let text): prompt.append(Array(text.utf8).span, special: specialTokens)
      case .token(let token): prompt.append(token)
      }
    }
    if addSpecial && addsEndToken, let endToken { prompt.append(endToken) }
    return prompt.finish()
  }
}

/// Collects runs of text between special tokens and encodes each as a whole.
private struct PromptEncoder {
  private var encoder: any RunEncoder
  private var tokens: [Int32] = []
  /// UTF-8 since the last special token.
  private var run: [UInt8] = []

  init(_ tokenizer: Tokenizer) { encoder = tokenizer.model.encoder() }

  mutating func append(_ token: Int32) {
    flush()
    tokens.append(token)
  }

  mutating func append(_ text: Span<UInt8>, special: SpecialTokens) {
    var end = 0
    for match in special.matches(in: text) {
      // A token of white space that was swallowed is none.
      if match.bytes.lowerBound < end { continue }
      var textEnd = match.bytes.lowerBound
      if special.stripsSpace(before: match.token) {
        while textEnd > end, text.isASCIISpace(at: textEnd - 1) { textEnd -= 1 }
      }
      append(text, end..<textEnd)
      append(match.token)
      end = match.bytes.upperBound
      if special.stripsSpace(after: match.token) {
        while end < text.count, text.isASCIISpace(at: end) { end += 1 }
      }
    }
    append(text, end..<text.count)
  }

  mutating func finish() -> [Int32] {
    flush()
    return tokens
  }

  private mutating func append(_ text: Span<UInt8>, _ range: Range<Int>) {
    run.reserveCapacity(run.count + range.count)
    for index in range { run.append(text[index]) }
  }

  private mutating func flush() {
    if run.isEmpty { return }
    // Taken out for the while: a span of it forbids other changes.
    var text: [UInt8] = []
    swap(&text, &run)
    encoder.append(text.span, to: &tokens)
    text.removeAll(keepingCapacity: true)
    swap(&text, &run)
  }
}

extension Span<UInt8> {
  fileprivate func isASCIISpace(at index: Int) -> Bool {
    self[index] == 0x20 || (0x09...0x0D).contains(self[index])
  }
}
