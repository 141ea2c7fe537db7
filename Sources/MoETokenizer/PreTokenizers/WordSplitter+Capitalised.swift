/// Words of o200k:
///
///     prefix? [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]* [\p{Ll}\p{Lm}\p{Lo}\p{M}]+ contraction?
///     | prefix? [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+ [\p{Ll}\p{Lm}\p{Lo}\p{M}]* contraction?
///
/// with `[^\r\n\p{L}\p{N}]` as prefix. An engine for expressions tries each alternative with the
/// prefix, then without; a mark can be both prefix and part of the word.
extension WordSplitter {
  private static let capitals: ScalarClasses = [.upper, .caseless, .mark]
  private static let smallLetters: ScalarClasses = [.lower, .caseless, .mark]

  static func capitalisedEnd(
    in text: Span<UInt8>, from start: Int, _ first: (class: ScalarClasses, end: Int)
  ) -> Int? {
    if first.class == .number || text.isLineBreak(at: start) { return nil }
    let isPrefix = !ScalarClasses.letters.contains(first.class)
    let afterPrefix = isPrefix ? first.end : nil
    guard
      let end = afterPrefix.flatMap({ endWithSmallLetters(in: text, from: $0) })
        ?? endWithSmallLetters(in: text, from: start)
        ?? afterPrefix.flatMap({ endOfCapitals(in: text, from: $0) })
        ?? endOfCapitals(in: text, from: start)
    else { return nil }
    guard end < text.count else { return end }
    return text.contractionEnd(from: end, ignoringCase: true) ?? end
  }

  /// The first alternative. Where no small letter follows the capitals, they give back the fewest
  /// that make one: all after the last that is of both kinds.
  private static func endWithSmallLetters(in text: Span<UInt8>, from start: Int) -> Int? {
    var (end, lastOfBothEnd) = (start, Int?.none)
    while end < text.count {
      let next = text.scalarClass(at: end)
      if next.class == .lower { return text.runEnd(of: smallLetters, from: next.end) }
      guard capitals.contains(next.class) else { break }
      end = next.end
      if next.class != .upper { lastOfBothEnd = end }
    }
    return lastOfBothEnd
  }

  /// The second alternative, once the first does not match: nothing small is there.
  private static func endOfCapitals(in text: Span<UInt8>, from start: Int) -> Int? {
    let end = text.runEnd(of: capitals, from: start)
    return end > start ? end : nil
  }
}
