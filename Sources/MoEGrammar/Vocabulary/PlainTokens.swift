/// Tokens that are whole characters of plain text.
///
/// Where any such character may stand, all of them are allowed at once, without a look at each;
/// where only so many may still stand, those that have no more.
struct PlainTokens: Sendable {
  let trie: TokenTrie
  /// A bit for each token of at most 1, 2, … characters.
  private let upTo: [[UInt64]]
  /// Those with more, in the order of their lengths.
  private let longer: [(length: Int32, token: Int32)]

  private static let tabulatedLengthMax = 32

  /// - Parameter tokens: In the order of their bytes.
  init(_ tokens: [Int32], vocabularySize: Int, bytes: (Int32) -> ArraySlice<UInt8>) {
    trie = TokenTrie(tokens, isPlain: true, bytes: bytes)
    var byLength: [[Int32]] = Array(repeating: [], count: Self.tabulatedLengthMax + 1)
    var longer: [(length: Int32, token: Int32)] = []
    for token in tokens {
      // A character has one byte that doesn't continue another.
      let length = bytes(token).count { $0 & 0xC0 != 0x80 }
      if length <= Self.tabulatedLengthMax {
        byLength[length].append(token)
      } else {
        longer.append((Int32(length), token))
      }
    }
    var words = Array(repeating: UInt64(0), count: (vocabularySize + 63) / 64)
    var upTo: [[UInt64]] = []
    for tokens in byLength.dropFirst() {
      for token in tokens { words[Int(token) >> 6] |= 1 << UInt64(token & 63) }
      upTo.append(words)
    }
    self.upTo = upTo
    self.longer = longer.sorted { ($0.length, $0.token) < ($1.length, $1.token) }
  }

  var byteCount: Int {
    trie.byteCount + upTo.reduce(0) { $0 + 8 * $1.count } + longer.count * 8
  }

  /// Adds the tokens of at most so many characters to a mask.
  func insert(upTo length: Int32, into words: inout [UInt64]) {
    if length <= 0 { return }
    let table = upTo[min(Int(length), Self.tabulatedLengthMax) - 1]
    for index in table.indices { words[index] |= table[index] }
    for (itsLength, token) in longer {
      if itsLength > length { break }
      words[Int(token) >> 6] |= 1 << UInt64(token & 63)
    }
  }
}
