import Foundation

/// Byte-level BPE as its papers describe it, by regular expressions and text: slow and plain.
struct NaiveTokenizer {
  let vocabulary: MadeUpVocabulary
  private let ids: [String: Int32]
  private let ranks: [String: Int]
  private let expressions: [Regex<AnyRegexOutput>]
  private let keepsWholeWords: Bool

  private static let gpt2 =
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
  private static let contractions = "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]"
  private static let cl100k =
    contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"#
    + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  private static let capitals = #"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"#
  private static let smallLetters = #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"#

  /// Applied one after the other, each to the matches of the one before and to what is between.
  private static let expressions = [
    "gpt-2": [gpt2],
    "qwen2": [cl100k.replacing(#"\p{N}{1,3}"#, with: #"\p{N}"#)],
    "qwen35": [
      contractions + #"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"#
        + #"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    ],
    "glm4": [cl100k], "llama-bpe": [cl100k], "dbrx": [cl100k],
    "gpt-4o": [
      #"[^\r\n\p{L}\p{N}]?\#(capitals)*\#(smallLetters)+(?:\#(contractions))?"#
        + #"|[^\r\n\p{L}\p{N}]?\#(capitals)+\#(smallLetters)*(?:\#(contractions))?"#
        + #"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    ],
    "deepseek-coder": [
      #"[\r\n]"#, #"\s?\p{L}+"#, #"\s?\p{P}+"#,
      #"[\u{4E00}-\u{9FA5}\u{800}-\u{4E00}\u{AC00}-\u{D7FF}]+"#, #"\p{N}"#,
    ],
  ]

  /// Nil where no expression is known for the vocabulary's pre-tokenizer.
  init?(_ vocabulary: MadeUpVocabulary) throws {
    let name = vocabulary.preTokenizer ?? ""
    guard let patterns = Self.expressions[name] else { return nil }
    expressions = try patterns.map { try Regex($0).matchingSemantics(.unicodeScalar) }
    keepsWholeWords = name == "llama-bpe"
    self.vocabulary = vocabulary
    ids = Dictionary(
      vocabulary.tokens.enumerated().map { ($1, Int32($0)) },
      uniquingKeysWith: { first, _ in first })
    ranks = Dictionary(
      vocabulary.merges.enumerated().map { ("\($1.left) \($1.right)", $0) },
      uniquingKeysWith: { first, _ in first })
  }

  func encode(_ text: String) -> [Int32] { words(of: text).flatMap { merge(Array($0.utf8)) } }

  func words(of text: String) -> [Substring] {
    expressions.reduce([text[...]]) { pieces, expression in
      pieces.flatMap { piece in
        var parts: [Substring] = []
        var end = piece.startIndex
        for match in piece.matches(of: expression) {
          parts.append(piece[end..<match.range.lowerBound])
          parts.append(piece[match.range])
          end = match.range.upperBound
        }
        return (parts + [piece[end...]]).filter { !$0.isEmpty }
      }
    }
  }

  private func merge(_ word: [UInt8]) -> [Int32] {
    var parts = word.map { String(MadeUpVocabulary.alphabet[Int($0)]) }
    if keepsWholeWords, let id = ids[parts.joined()] { return [id] }
    while true {
      let candidates = parts.indices.dropLast().compactMap { index in
        ranks["\(parts[index]) \(parts[index + 1])"].map { (rank: $0, index: index) }
      }
      guard let best = candidates.min(by: { ($0.rank, $0.index) < ($1.rank, $1.index) }) else {
        return parts.map { ids[$0]! }
      }
      parts[best.index] += parts.remove(at: best.index + 1)
    }
  }
}
