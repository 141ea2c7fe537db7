import MoECore
import MoEGrammar

/// A vocabulary in which each byte is a token, and the end is number 256.
let byteVocabulary: GrammarVocabulary = {
  do {
    return try GrammarVocabulary(count: 257, endTokens: [256]) { [UInt8(truncatingIfNeeded: $0)] }
  } catch {
    preconditionFailure("\(error)")
  }
}()

/// A vocabulary as a model might have: all bytes, pieces of JSON and of words, and whole and cut
/// characters, some of them twice.
struct TestVocabulary {
  var tokens: [[UInt8]?]
  var vocabulary: GrammarVocabulary
  var endToken: Int32

  init(_ pieces: [[UInt8]], allBytes: Bool = true) throws {
    tokens = allBytes ? (0..<256).map { [UInt8($0)] } : []
    tokens += pieces
    // A control token, and the end.
    tokens += [nil, nil]
    let all = tokens
    endToken = Int32(all.count - 1)
    vocabulary = try GrammarVocabulary(count: all.count, endTokens: [endToken]) { all[Int($0)] }
  }

  static func mixed(_ generator: inout SeededGenerator, count: Int = 400) throws -> TestVocabulary {
    let parts = [
      "\"", "{", "}", "[", "]", ":", ",", " ", "\n", "\\", "\\u", "00", "1", "23", ".", "-", "e",
      "E",
      "true", "false", "null", "a", "b", "th", "name", "id", "é", "€", "日本", "😀", "\t", "  ", "0",
      "T", "Z", "20", "@", "/", "x", "_", "z9", "\\n", "\\\"", "d83d", "\\ude00", "A", "Q",
    ]
    var pieces: [[UInt8]] = []
    for _ in 0..<count {
      var text: [UInt8] = []
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        text += Array((parts.randomElement(using: &generator) ?? "").utf8)
      }
      // Some begin or end within a character.
      if Int.random(in: 0..<8, using: &generator) == 0 { text.removeFirst() }
      if Int.random(in: 0..<8, using: &generator) == 0 { _ = text.popLast() }
      if !text.isEmpty { pieces.append(text) }
    }
    return try TestVocabulary(pieces)
  }
}

extension Grammar {
  /// Whether a text is one of the grammar's, byte by byte.
  func accepts(_ text: String) throws -> Bool {
    try CompiledGrammar(self, vocabulary: byteVocabulary).accepts(text)
  }
}

extension CompiledGrammar {
  func accepts(_ text: String) throws -> Bool {
    var matcher = GrammarMatcher(self)
    do throws(GrammarError) {
      try matcher.accept(bytes: Array(text.utf8))
    } catch {
      if error.reason == .refused { return false }
      throw error
    }
    return matcher.isComplete
  }

  /// A text of random tokens that are allowed, with a liking for the end; nil where it gets too
  /// long.
  func sample(
    _ vocabulary: TestVocabulary, _ generator: inout SeededGenerator, tokenCountMax: Int = 600
  ) throws -> [UInt8]? {
    var matcher = GrammarMatcher(self)
    var text: [UInt8] = []
    for count in 0..<tokenCountMax {
      let mask = try matcher.allowed()
      if matcher.isComplete && Int.random(in: 0..<4, using: &generator) == 0 { return text }
      let token = Self.choose(mask, vocabulary, count, &generator)
      if token == vocabulary.endToken { return text }
      try matcher.accept(token)
      text += vocabulary.tokens[Int(token)] ?? []
    }
    return nil
  }

  /// A token by random logits. The longer the text is, the more are those liked that close
  /// something.
  private static func choose(
    _ mask: TokenMask, _ vocabulary: TestVocabulary, _ count: Int,
    _ generator: inout SeededGenerator
  ) -> Int32 {
    var (best, bestLogit) = (Int32(-1), -Double.infinity)
    for token in mask.tokens {
      var logit = generator.nextGaussian()
      let text = vocabulary.tokens[Int(token)] ?? []
      if text.contains(where: { closing.contains($0) }) { logit += Double(count) / 20 }
      if text.contains(where: { opening.contains($0) }) { logit -= Double(count) / 20 }
      if logit > bestLogit { (best, bestLogit) = (token, logit) }
    }
    return best
  }

  private static let closing = Set("\"}]".utf8)
  private static let opening = Set("{[,".utf8)
}
