import MoECore

/// The merges of a byte-pair encoding by the pair of tokens they join.
///
/// A merge's rank is its place in the list; lower ranks are applied first. A hash table with the
/// merges in its slots, so that finding one touches a single cache line, and before it a bit for
/// each pair's hash: most neighbours in a text join nothing, and six of seven of these are told by
/// the bits, which are small enough to stay near. 22 bytes a merge: 3.4 MB for a vocabulary of
/// 152,000.
struct MergeTable: Sendable, MergeRules {
  private var slots: [Slot]
  /// (hash of a pair): whether some merge has it.
  private var hints: [UInt64]
  /// How far a hash is shifted to be the number of a hint.
  private let hintShift: UInt64

  /// Ids of the left token, the right token and the token made of both.
  private struct Slot {
    var left: Int32 = 0
    var right: Int32 = 0
    var result: Int32 = 0
    /// `empty` where there is no merge.
    var rank: Int32 = -1
  }

  private static let empty: Int32 = -1

  /// Room for so many merges.
  private init(count: Int) {
    slots = Array(repeating: Slot(), count: max(4, count / 3 * 4 + 4))
    // Between four and eight bits for each merge.
    var bitCount = 64
    while bitCount < 4 * count { bitCount *= 2 }
    hints = Array(repeating: 0, count: bitCount / 64)
    hintShift = UInt64(64 - bitCount.trailingZeroBitCount)
  }

  /// What the table keeps in memory.
  var byteCount: Int { slots.count * MemoryLayout<Slot>.stride + hints.count * 8 }

  /// The slot of the merge that joins two tokens; ids that no token has are joined by none.
  func join(_ left: Int32, _ right: Int32, _ word: Span<UInt8>, _ range: Range<Int>) -> Int32? {
    let hash = Self.hash(left, right)
    let hint = hash >> hintShift
    guard hints[Int(hint >> 6)] >> (hint & 63) & 1 != 0 else { return nil }
    let slot = self.slot(left, right, hash)
    return slots[slot].rank == Self.empty ? nil : Int32(truncatingIfNeeded: slot)
  }

  func rank(of join: Int32) -> Int32 { slots[Int(join)].rank }

  func token(of join: Int32) -> Int32 { slots[Int(join)].result }

  private static func hash(_ left: Int32, _ right: Int32) -> UInt64 {
    let key = UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    let mixed = (key ^ (key >> 29)) &* 0x9E37_79B9_7F4A_7C15
    return (mixed ^ (mixed >> 32)) &* 0xD6E8_FEB8_6659_FD93
  }

  /// The slot of the pair, or the free one where it would be.
  private func slot(_ left: Int32, _ right: Int32, _ hash: UInt64) -> Int {
    var slot = Int(((hash & 0xFFFF_FFFF) * UInt64(slots.count)) >> 32)
    while true {
      let merge = slots[slot]
      if merge.left == left && merge.right == right && merge.rank != Self.empty { return slot }
      if merge.rank == Self.empty { return slot }
      slot += 1
      if slot == slots.count { slot = 0 }
    }
  }

  /// Of merges of the same pair the first counts.
  private mutating func insert(_ left: Int32, _ right: Int32, result: Int32, rank: Int32) {
    let hash = Self.hash(left, right)
    let hint = hash >> hintShift
    hints[Int(hint >> 6)] |= 1 << (hint & 63)
    let slot = self.slot(left, right, hash)
    guard slots[slot].rank == Self.empty else { return }
    slots[slot] = Slot(left: left, right: right, result: result, rank: rank)
  }
}

extension MergeTable {
  /// Reads merges written as two tokens with a space between.
  ///
  /// Throws where one is not written so or names a token, left, right or joined, that is not in
  /// `tokens`.
  init(
    _ list: PackedStrings, tokens: TokenTextTable,
    metadata: TokenizerMetadata
  ) throws(TokenizerError) {
    guard list.count < joinRankLimit else {
      throw metadata.error(
        .wrongCount, MetadataKey.merges, wanted: "fewer than \(joinRankLimit) merges",
        found: "\(list.count)")
    }
    self.init(count: list.count)
    let (bytes, offsets) = (list.bytes, list.offsets)
    for rank in 0..<list.count {
      let text = bytes.span.extracting(offsets[rank]..<offsets[rank + 1])
      guard let space = text.separator else {
        throw metadata.error(
          .malformed, MetadataKey.merges, wanted: "two tokens separated by a space",
          found: "\(list.string(at: rank).quotedForMessage) as element \(rank)")
      }
      let left = text.extracting(..<space)
      let right = text.extracting((space + 1)...)
      guard let leftToken = tokens.token(for: left), let rightToken = tokens.token(for: right),
        let result = tokens.token(for: left, right)
      else {
        throw metadata.error(
          .malformed, MetadataKey.merges, wanted: "tokens of the vocabulary that join to another",
          found: "\(list.string(at: rank).quotedForMessage) as element \(rank), which does not")
      }
      insert(leftToken, rightToken, result: result, rank: Int32(rank))
    }
  }
}

extension Span<UInt8> {
  /// The first space that has something before and after it.
  fileprivate var separator: Int? {
    for index in indices.dropFirst().dropLast() where self[index] == UInt8(ascii: " ") {
      return index
    }
    return nil
  }
}
