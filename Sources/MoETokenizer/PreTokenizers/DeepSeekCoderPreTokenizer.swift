/// The words of DeepSeek Coder. Its expressions are applied one after the other, each to what the
/// ones before it left between their matches and to the matches themselves:
///
///     [\r\n]    \s?\p{L}+    \s?\p{P}+    [一-龥ࠀ-一가-퟿]+    \p{N}
///
/// Only the last two can cut what an earlier one matched, and what they leave is what the earlier
/// ones match again; so the words can be found from left to right. A number is always by itself.
struct DeepSeekCoderPreTokenizer: PreTokenizer {
  func wordEnd(in text: Span<UInt8>, from start: Int) -> Int {
    let first = text.scalarClass(at: start)
    if first.class == .number || text.isLineBreak(at: start) { return first.end }
    let isEastAsian = isEastAsian(at: start, in: text)
    let match = matched(in: text, at: start)
    var end = first.end
    while end < text.count, isEastAsian == self.isEastAsian(at: end, in: text) {
      let next = text.scalarClass(at: end)
      if let match {
        guard match.contains(next.class) else { break }
      } else if next.class == .number || text.isLineBreak(at: end)
        || matched(in: text, at: end) != nil
      {
        break
      }
      end = next.end
    }
    return end
  }

  /// What `\s?\p{L}+|\s?\p{P}+` would match a run of, if it matches here.
  private func matched(in text: Span<UInt8>, at start: Int) -> ScalarClasses? {
    let first = text.scalarClass(at: start)
    var body = first.class
    if body == .space && !text.isLineBreak(at: start) && first.end < text.count {
      body = text.scalarClass(at: first.end).class
    }
    if ScalarClasses.letters.contains(body) { return .letters }
    return body == .punctuation ? .punctuation : nil
  }

  /// `[一-龥ࠀ-一가-퟿]`, which has more in it than its author meant.
  private func isEastAsian(at index: Int, in text: Span<UInt8>) -> Bool {
    let scalar = text.scalar(at: index).value
    return (0x800...0x9FA5).contains(scalar) || (0xAC00...0xD7FF).contains(scalar)
  }
}

extension PreTokenizerEntry {
  static let deepSeekCoder = PreTokenizerEntry(
    name: "deepseek-coder", summary: "DeepSeek Coder."
  ) { DeepSeekCoderPreTokenizer() }
}
