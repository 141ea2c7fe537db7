/// The words of Qwen2 and its successors; with other lengths of numbers, of GLM-4 too:
///
///     '(?i:s|t|re|ve|m|ll|d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,numberLengthMax}
///     | ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
///
/// Letters of contractions are compared as ASCII. Text is not normalised to NFC, as in llama.cpp
/// and unlike in Qwen's own tokenizer, so that what is decoded is what was encoded.
struct Qwen2PreTokenizer: PreTokenizer {
  /// How many digits make one word.
  let numberLengthMax: Int

  func wordEnd(in text: Span<UInt8>, from start: Int) -> Int {
    if let end = text.contractionEnd(from: start, ignoringCase: true) { return end }
    let first = text.scalarClass(at: start)
    switch first.class {
    case .letter: return text.runEnd(of: .letter, from: first.end)
    case .number: return numberEnd(in: text, from: start)
    case .space, .other: break
    }
    if !isLineBreak(text[start]), first.end < text.count {
      let second = text.scalarClass(at: first.end)
      if second.class == .letter { return text.runEnd(of: .letter, from: second.end) }
    }
    return symbolsEnd(in: text, from: start) ?? lineBreakEnd(in: text, from: start)
      ?? text.spaceEnd(from: start)
  }

  private func numberEnd(in text: Span<UInt8>, from start: Int) -> Int {
    var end = start
    for _ in 0..<numberLengthMax where end < text.count {
      let next = text.scalarClass(at: end)
      guard next.class == .number else { break }
      end = next.end
    }
    return end
  }

  /// ` ?[^\s\p{L}\p{N}]+[\r\n]*`
  private func symbolsEnd(in text: Span<UInt8>, from start: Int) -> Int? {
    let body = text[start] == UInt8(ascii: " ") ? start + 1 : start
    var end = text.runEnd(of: .other, from: body)
    guard end > body else { return nil }
    while end < text.count, isLineBreak(text[end]) { end += 1 }
    return end
  }

  /// `\s*[\r\n]+`: up to the last line break of a run of white space.
  private func lineBreakEnd(in text: Span<UInt8>, from start: Int) -> Int? {
    var (index, end) = (start, start)
    while index < text.count {
      let next = text.scalarClass(at: index)
      guard next.class == .space else { break }
      if isLineBreak(text[index]) { end = next.end }
      index = next.end
    }
    return end > start ? end : nil
  }

  private func isLineBreak(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
  }
}
