/// Remembers the tokens of short words, since most words of a text come again.
///
/// A word has one place, which the last word with that place keeps: nothing is searched for, and
/// nothing grows. Words of more than 15 bytes or four tokens are not kept.
struct WordCache {
  private var entries: [Entry]

  /// A word's bytes with its length on top, then its tokens.
  private struct Entry {
    var low: UInt64 = 0
    var high: UInt64 = 0
    var tokens = SIMD4<Int32>()
    var tokenCount = 0
  }

  static let byteCountMax = 15
  private static let entryCountMax = 1 << 12

  /// A cache for a text of some bytes: 192 KiB at most, less for short texts.
  init(textByteCount: Int) {
    var count = 16
    while count < Self.entryCountMax, count * 16 < textByteCount { count *= 2 }
    entries = Array(repeating: Entry(), count: count)
  }

  /// Appends the tokens of a word, if it is remembered.
  func append(_ word: Span<UInt8>, to tokens: inout [Int32]) -> Bool {
    if word.count > Self.byteCountMax { return false }
    let key = Self.key(word)
    let entry = entries[place(key)]
    if entry.low != key.low || entry.high != key.high { return false }
    for index in 0..<entry.tokenCount { tokens.append(entry.tokens[index]) }
    return true
  }

  /// Remembers the last of `tokens`, from `start` on, as those of a word.
  mutating func remember(_ word: Span<UInt8>, _ tokens: [Int32], from start: Int) {
    let count = tokens.count - start
    if word.count > Self.byteCountMax || count > 4 { return }
    let key = Self.key(word)
    var entry = Entry(low: key.low, high: key.high, tokenCount: count)
    for index in 0..<count { entry.tokens[index] = tokens[start + index] }
    entries[place(key)] = entry
  }

  private func place(_ key: (low: UInt64, high: UInt64)) -> Int {
    let mixed = (key.low ^ (key.high &* 0x9E37_79B9_7F4A_7C15)) &* 0xD6E8_FEB8_6659_FD93
    return Int(truncatingIfNeeded: mixed >> 40) & (entries.count - 1)
  }

  private static func key(_ word: Span<UInt8>) -> (low: UInt64, high: UInt64) {
    var (low, high) = (UInt64(0), UInt64(word.count) << 56)
    for index in 0..<min(word.count, 8) { low |= UInt64(word[index]) << UInt64(8 * index) }
    var index = 8
    while index < word.count {
      high |= UInt64(word[index]) << UInt64(8 * (index - 8))
      index += 1
    }
    return (low, high)
  }
}
