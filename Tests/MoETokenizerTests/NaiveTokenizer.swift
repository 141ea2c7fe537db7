import Foundation
import MoETokenizer
import Testing

/// Byte-level BPE as its papers describe it, by regular expressions and text: slow and plain.
struct NaiveTokenizer {
  let vocabulary: MadeUpVocabulary
  private let ids: [String: Int32]
  private let ranks: [String: Int]
  private let expressions: [Regex<AnyRegexOutput>]
  private let keepsWholeWords: Bool

  /// Pre-tokenizers whose expressions this engine takes. It refuses ranges that end in characters
  /// which are others composed; `words.json` has the words of these, too.
  static let preTokenizers = PreTokenizerRegistry.all.map(\.name).filter {
    $0 != "deepseek-llm" && $0 != "afmoe"
  }

  /// Groups that ignore case, written so that they ignore that of ASCII alone.
  private static let spelledOut = [
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)": "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])",
    "(?i:[sdmt]|ll|ve|re)": "(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])",
  ]

  /// Another engine runs the registry's expressions; `words.json` holds them to those published.
  init(_ vocabulary: MadeUpVocabulary) throws {
    let name = vocabulary.preTokenizer ?? ""
    let entry = try #require(PreTokenizerRegistry.all.first { $0.name == name })
    expressions = try entry.expressions.map { text in
      var text = Self.spelledOut.reduce(text) { $0.replacing($1.key, with: $1.value) }
      // By numbers, so that no scalar combines with its neighbour in the pattern.
      text = text.unicodeScalars.reduce(into: "") { written, scalar in
        written += scalar.isASCII ? String(scalar) : "\\u{\(String(scalar.value, radix: 16))}"
      }
      return try Regex(text).matchingSemantics(.unicodeScalar)
    }
    keepsWholeWords = entry.keepsWholeWords
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
