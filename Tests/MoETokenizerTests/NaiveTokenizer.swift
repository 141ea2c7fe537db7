import Foundation

/// Byte-level BPE as its papers describe it, by regular expressions and text: slow and plain.
struct NaiveTokenizer {
  let vocabulary: MadeUpVocabulary
  private let ids: [String: Int32]
  private let ranks: [String: Int]
  private let expression: Regex<AnyRegexOutput>

  private static let expressions = [
    "gpt-2": #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#,
    "olmo": #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#,
    "qwen2": contractions
      + #"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#,
    "glm4": contractions
      + #"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#,
  ]
  private static let contractions =
    "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]|"

  /// Nil where no expression is known for the vocabulary's pre-tokenizer.
  init?(_ vocabulary: MadeUpVocabulary) throws {
    guard let pattern = Self.expressions[vocabulary.preTokenizer ?? ""] else { return nil }
    expression = try Regex(pattern).matchingSemantics(.unicodeScalar)
    self.vocabulary = vocabulary
    ids = Dictionary(
      vocabulary.tokens.enumerated().map { ($1, Int32($0)) },
      uniquingKeysWith: { first, _ in first })
    ranks = Dictionary(
      vocabulary.merges.enumerated().map { ("\($1.left) \($1.right)", $0) },
      uniquingKeysWith: { first, _ in first })
  }

  func encode(_ text: String) -> [Int32] {
    text.matches(of: expression).flatMap { merge(Array(text[$0.range].utf8)) }
  }

  private func merge(_ word: [UInt8]) -> [Int32] {
    var parts = word.map { String(MadeUpVocabulary.alphabet[Int($0)]) }
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
