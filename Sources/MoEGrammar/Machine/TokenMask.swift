/// The tokens that may come next.
package struct TokenMask: Sendable {
  /// How many tokens the vocabulary has.
  package let vocabularySize: Int
  /// How many of them are allowed.
  package let count: Int
  private let form: Form

  private enum Form: Sendable {
    /// Ascending.
    case list([Int32])
    /// A bit for each token, the lowest of a word first.
    case bits([UInt64])
  }

  private static let listedCountMax = 256

  init(_ words: [UInt64], vocabularySize: Int) {
    self.vocabularySize = vocabularySize
    count = words.reduce(0) { $0 + $1.nonzeroBitCount }
    form = count <= Self.listedCountMax ? .list(Self.tokens(words)) : .bits(words)
  }

  package func contains(_ token: Int32) -> Bool {
    guard token >= 0 && Int(token) < vocabularySize else { return false }
    switch form {
    case .bits(let words): return words[Int(token) >> 6] >> UInt64(token & 63) & 1 != 0
    case .list(let tokens):
      var (low, high) = (0, tokens.count)
      while low < high {
        let middle = (low + high) / 2
        if tokens[middle] < token { low = middle + 1 } else { high = middle }
      }
      return low < tokens.count && tokens[low] == token
    }
  }

  /// The allowed tokens, ascending.
  package var tokens: [Int32] {
    switch form {
    case .bits(let words): Self.tokens(words)
    case .list(let tokens): tokens
    }
  }

  /// A bit for each token, the lowest of a word first.
  package var words: [UInt64] {
    switch form {
    case .bits(let words): return words
    case .list(let tokens):
      var words = Array(repeating: UInt64(0), count: (vocabularySize + 63) / 64)
      for token in tokens { words[Int(token) >> 6] |= 1 << UInt64(token & 63) }
      return words
    }
  }

  /// Makes the logits of all tokens that aren't allowed minus infinity.
  package func apply(to logits: inout MutableSpan<Float>) {
    switch form {
    case .list(let tokens):
      let kept = tokens.prefix { Int($0) < logits.count }.map { ($0, logits[Int($0)]) }
      for index in logits.indices { logits[index] = -.infinity }
      for (token, logit) in kept { logits[Int(token)] = logit }
    case .bits(let words):
      for start in stride(from: 0, to: logits.count, by: 64) {
        let word = start < vocabularySize ? words[start >> 6] : 0
        if word == .max { continue }
        for index in start..<min(start + 64, logits.count)
        where word >> UInt64(index - start) & 1 == 0 {
          logits[index] = -.infinity
        }
      }
    }
  }

  /// Adds its tokens to a mask of as many words.
  func insert(into words: inout [UInt64]) {
    switch form {
    case .bits(let mine): for index in mine.indices { words[index] |= mine[index] }
    case .list(let tokens):
      for token in tokens { words[Int(token) >> 6] |= 1 << UInt64(token & 63) }
    }
  }

  var byteCount: Int {
    switch form {
    case .bits(let words): words.count * 8
    case .list(let tokens): tokens.count * 4
    }
  }

  private static func tokens(_ words: [UInt64]) -> [Int32] {
    var tokens: [Int32] = []
    for (index, word) in words.enumerated() where word != 0 {
      var word = word
      while word != 0 {
        tokens.append(Int32(index << 6 | word.trailingZeroBitCount))
        word &= word - 1
      }
    }
    return tokens
  }
}
