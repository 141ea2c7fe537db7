/// Remembers the tokens of short words, since most words of a text come again.
///
/// A word has two places, which the last two words with these places keep: nothing is searched for,
/// and nothing grows. Of an English novel's words one in nine is not there; with places of their
/// own, as many as these, it would be one in seven. Words of more than 15 bytes or four tokens are
/// not kept.
struct WordCache {
  /// Two by two: the place of the word that came last, and of the one before it.
  private var entries: [Entry]

  private struct Entry {
    /// The word's first eight bytes.
    var low: UInt64 = 0
    /// The others, and above them how many bytes the word has, and how many tokens.
    var high: UInt64 = 0
    var tokens = SIMD4<Int32>()

    var tokenCount: Int { Int(high >> Self.tokenCountShift) }

    static let byteCountShift: UInt64 = 56
    static let tokenCountShift: UInt64 = 60

    func isOf(_ key: Key) -> Bool {
      low == key.low && high & (1 << Self.tokenCountShift - 1) == key.high
    }
  }

  private typealias Key = (low: UInt64, high: UInt64)

  static let byteCountMax = 15
  private static let tokenCountMax = 4
  private static let pairCountMax = 1 << 12

  /// A cache for a text of some bytes: 256 KiB at most, less for short texts.
  init(textByteCount: Int) {
    var count = 16
    while count < Self.pairCountMax, count * 16 < textByteCount { count *= 2 }
    entries = Array(repeating: Entry(), count: 2 * count)
  }

  /// Appends the tokens of a word, if it is remembered.
  mutating func append(_ word: Span<UInt8>, to tokens: inout [Int32]) -> Bool {
    if word.count > Self.byteCountMax { return false }
    let key = Self.key(word)
    let first = place(key)
    if !entries[first].isOf(key) {
      guard entries[first + 1].isOf(key) else { return false }
      entries.swapAt(first, first + 1)
    }
    let entry = entries[first]
    for index in 0..<entry.tokenCount { tokens.append(entry.tokens[index]) }
    return true
  }

  /// Remembers the last of `tokens`, from `start` on, as those of a word that is not remembered.
  mutating func remember(_ word: Span<UInt8>, _ tokens: [Int32], from start: Int) {
    let count = tokens.count - start
    if word.count > Self.byteCountMax || count > Self.tokenCountMax { return }
    let key = Self.key(word)
    var entry = Entry(low: key.low, high: key.high | UInt64(count) << Entry.tokenCountShift)
    for index in 0..<count { entry.tokens[index] = tokens[start + index] }
    let first = place(key)
    entries[first + 1] = entries[first]
    entries[first] = entry
  }

  /// The first of a word's two places.
  private func place(_ key: Key) -> Int {
    let mixed = (key.low ^ (key.high &* 0x9E37_79B9_7F4A_7C15)) &* 0xD6E8_FEB8_6659_FD93
    return Int(truncatingIfNeeded: mixed >> 40) << 1 & (entries.count - 1)
  }

  private static func key(_ word: Span<UInt8>) -> Key {
    var (low, high) = (UInt64(0), UInt64(word.count) << Entry.byteCountShift)
    for index in 0..<min(word.count, 8) { low |= UInt64(word[index]) << UInt64(8 * index) }
    var index = 8
    while index < word.count {
      high |= UInt64(word[index]) << UInt64(8 * (index - 8))
      index += 1
    }
    return (low, high)
  }
}
