/// The words of cl100k and the many that came after it, with what they differ in as parameters.
/// The alternatives in their order, W standing for what words are made of:
///
///     contraction | [^\r\n\p{L}\p{N}]?W | \p{N}{1,numberLengthMax}
///     | ?[^\s\p{L}\p{N}]+[\r\n]* | \s*[\r\n]+ | \s+(?!\S) | \s+
///
/// Letters of contractions are compared as ASCII. Text is not normalised to NFC, as in llama.cpp
/// and unlike in Qwen's own tokenizer, so that what is decoded is what was encoded.
struct WordSplitter: PreTokenizer {
  enum Words {
    /// Runs of these classes, which are no symbols; contractions are words of their own.
    case runs(of: ScalarClasses)
    /// Capitals, then small letters, of which one kind may be missing; letters without case and
    /// marks count as both. A contraction belongs to the word before it.
    case capitalised
  }

  let words: Words
  /// How many digits make one word.
  let numberLengthMax: Int
  /// Whether symbols take slashes along with the line breaks after them.
  var symbolsTakeSlashes = false

  func wordEnd(in text: Span<UInt8>, from start: Int) -> Int {
    let first = text.scalarClass(at: start)
    switch words {
    case .runs(let classes):
      if let end = text.contractionEnd(from: start, ignoringCase: true)
        ?? Self.runEnd(of: classes, in: text, from: start, first)
      {
        return end
      }
    case .capitalised:
      if let end = Self.capitalisedEnd(in: text, from: start, first) { return end }
    }
    if first.class == .number { return numberEnd(in: text, from: start) }
    return symbolsEnd(in: text, from: start) ?? Self.lineBreakEnd(in: text, from: start)
      ?? text.spaceEnd(from: start)
  }

  /// `[^\r\n\p{L}\p{N}]?[classes]+`
  private static func runEnd(
    of classes: ScalarClasses, in text: Span<UInt8>, from start: Int,
    _ first: (class: ScalarClasses, end: Int)
  ) -> Int? {
    if classes.contains(first.class) { return text.runEnd(of: classes, from: first.end) }
    guard first.class != .number, !text.isLineBreak(at: start), first.end < text.count else {
      return nil
    }
    let second = text.scalarClass(at: first.end)
    return classes.contains(second.class) ? text.runEnd(of: classes, from: second.end) : nil
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

  /// ` ?[symbols]+[\r\n]*`, where symbols are what neither words nor numbers are made of.
  private func symbolsEnd(in text: Span<UInt8>, from start: Int) -> Int? {
    let symbols: ScalarClasses =
      if case .runs(let classes) = words { .others.subtracting(classes) } else { .others }
    let body = text[start] == UInt8(ascii: " ") ? start + 1 : start
    var end = text.runEnd(of: symbols, from: body)
    guard end > body else { return nil }
    while end < text.count,
      text.isLineBreak(at: end) || symbolsTakeSlashes && text[end] == UInt8(ascii: "/")
    {
      end += 1
    }
    return end
  }

  /// `\s*[\r\n]+`: up to the last line break of a run of white space.
  private static func lineBreakEnd(in text: Span<UInt8>, from start: Int) -> Int? {
    var (index, end) = (start, start)
    while index < text.count {
      let next = text.scalarClass(at: index)
      guard next.class == .space else { break }
      if text.isLineBreak(at: index) { end = next.end }
      index = next.end
    }
    return end > start ? end : nil
  }
}
