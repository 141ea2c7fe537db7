/// The tokens of a model as grammars see them: their bytes.
///
/// Made once for a model and shared by all grammars. Takes about 50 bytes a token (`byteCount`).
package final class GrammarVocabulary: Sendable {
  /// How many tokens there are; ids run from 0 to below it.
  package let count: Int
  /// Tokens that end a text, ascending. They are allowed where the text is complete.
  package let endTokens: [Int32]
  /// Tokens that are whole characters of plain text.
  let plain: PlainTokens
  /// All others that write something.
  let other: TokenTrie
  private let bytes: [UInt8]
  /// Where each token's bytes begin, and at the end their count.
  private let offsets: [UInt32]
  /// The most bytes that one token has.
  let tokenByteCountMax: Int

  /// - Parameters:
  ///   - count: How many tokens the model's logits are for.
  ///   - endTokens: Those that end a text; ids outside the vocabulary are left out.
  ///   - bytes: What a token writes; nil for one that may never come, such as a control token. What
  ///     writes nothing or more than 1,024 bytes never comes either.
  package init(
    count: Int, endTokens: [Int32], bytes: (Int32) -> [UInt8]?
  ) throws(GrammarError) {
    guard (0...1 << 24).contains(count) else {
      throw GrammarError(.limit, "a vocabulary of \(count) tokens is too large for a grammar")
    }
    self.count = count
    self.endTokens = Set(endTokens.filter { $0 >= 0 && Int($0) < count }).sorted()
    let ends = Set(self.endTokens)
    var all: [UInt8] = []
    var offsets: [UInt32] = [0]
    var keyed: [(key: UInt64, token: Int32)] = []
    for token in 0..<Int32(count) {
      if let text = bytes(token), !text.isEmpty, !ends.contains(token),
        text.count <= GrammarLimits.tokenByteCountMax
      {
        all += text
        keyed.append((Self.key(text), token))
      }
      guard all.count <= Int(UInt32.max) else {
        throw GrammarError(.limit, "the vocabulary has more than 4 GiB of text")
      }
      offsets.append(UInt32(all.count))
    }
    let (text, places) = (all, offsets)
    func slice(_ token: Int32) -> ArraySlice<UInt8> {
      text[Int(places[Int(token)])..<Int(places[Int(token) + 1])]
    }
    keyed.sort { first, second in
      if first.key != second.key { return first.key < second.key }
      let (left, right) = (slice(first.token).dropFirst(8), slice(second.token).dropFirst(8))
      if left.elementsEqual(right) {
        let (length, other) = (slice(first.token).count, slice(second.token).count)
        return (length, first.token) < (other, second.token)
      }
      return left.lexicographicallyPrecedes(right)
    }
    let tokens = keyed.map(\.token)
    let isPlain = tokens.map { PlainText.contains(slice($0)) }
    plain = PlainTokens(
      zip(tokens, isPlain).filter(\.1).map(\.0), vocabularySize: count, bytes: slice)
    other = TokenTrie(zip(tokens, isPlain).filter { !$0.1 }.map(\.0), isPlain: false, bytes: slice)
    self.bytes = all
    self.offsets = offsets
    tokenByteCountMax = max(plain.trie.depthMax, other.depthMax)
  }

  /// The bytes of a token; none where it may never come.
  func bytes(of token: Int32) -> ArraySlice<UInt8> {
    guard token >= 0 && Int(token) < count else { return [] }
    return bytes[Int(offsets[Int(token)])..<Int(offsets[Int(token) + 1])]
  }

  func isEnd(_ token: Int32) -> Bool { endTokens.contains(token) }

  /// What it keeps in memory.
  package var byteCount: Int {
    plain.byteCount + other.byteCount + bytes.count + offsets.count * 4 + endTokens.count * 4
  }

  /// The first eight bytes as a number that orders as they do.
  private static func key(_ text: [UInt8]) -> UInt64 {
    var key: UInt64 = 0
    for place in 0..<8 { key = key << 8 | (place < text.count ? UInt64(text[place]) : 0) }
    return key
  }
}
