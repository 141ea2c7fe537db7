import MoECore

/// Finds the token with a given text: a hash table over a vocabulary's packed strings.
///
/// Open addressing with 4 bytes a slot and the text left where it is, since a dictionary of strings
/// would cost several times the vocabulary. All need it while a tokenizer is made, and some text
/// models for as long as there is text.
struct TokenTextTable: Sendable {
  private let bytes: [UInt8]
  private let offsets: [Int]
  /// Token ids, or `empty`; the count is a power of two.
  private var slots: [Int32]

  /// The length of the longest text.
  let textByteCountMax: Int

  private static let empty: Int32 = -1

  /// What the table keeps in memory; the texts are the vocabulary's.
  var byteCount: Int { slots.count * MemoryLayout<Int32>.stride }

  /// There must be fewer than 2³¹ tokens. Of tokens with the same text, the first is found.
  init(_ tokens: PackedStrings) {
    bytes = tokens.bytes
    offsets = tokens.offsets
    slots = Array(repeating: Self.empty, count: hashSlotCount(for: tokens.count))
    textByteCountMax = zip(offsets, offsets.dropFirst()).reduce(0) { max($0, $1.1 - $1.0) }
    let text = tokens.bytes
    for token in 0..<tokens.count {
      let (slot, found) = locate(
        text.span.extracting(offsets[token]..<offsets[token + 1]), Span())
      if found == nil { slots[slot] = Int32(token) }
    }
  }

  func token(for text: Span<UInt8>) -> Int32? { locate(text, Span()).token }

  /// The token whose text is `first` followed by `second`.
  func token(for first: Span<UInt8>, _ second: Span<UInt8>) -> Int32? {
    locate(first, second).token
  }

  /// The token, or the free slot where it would be.
  private func locate(
    _ first: Span<UInt8>, _ second: Span<UInt8>
  ) -> (slot: Int, token: Int32?) {
    var slot = Int(truncatingIfNeeded: hash(first, second)) & (slots.count - 1)
    while slots[slot] != Self.empty {
      if isText(of: slots[slot], first, second) { return (slot, slots[slot]) }
      slot = (slot + 1) & (slots.count - 1)
    }
    return (slot, nil)
  }

  private func isText(of token: Int32, _ first: Span<UInt8>, _ second: Span<UInt8>) -> Bool {
    let start = offsets[Int(token)]
    guard offsets[Int(token) + 1] - start == first.count + second.count else { return false }
    for index in first.indices where bytes[start + index] != first[index] { return false }
    let middle = start + first.count
    for index in second.indices where bytes[middle + index] != second[index] { return false }
    return true
  }

  /// FNV-1a over both parts, folded so that its well mixed upper half reaches the slot's bits.
  private func hash(_ first: Span<UInt8>, _ second: Span<UInt8>) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for index in first.indices { hash = (hash ^ UInt64(first[index])) &* 0x100_0000_01B3 }
    for index in second.indices { hash = (hash ^ UInt64(second[index])) &* 0x100_0000_01B3 }
    return hash ^ (hash >> 32)
  }
}

/// The power of two that keeps a table of `count` entries at most three quarters full.
func hashSlotCount(for count: Int) -> Int {
  var slotCount = 4
  while slotCount / 4 * 3 < count { slotCount *= 2 }
  return slotCount
}
