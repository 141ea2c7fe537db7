import MoECore

/// The merges of a byte-pair encoding by the pair of tokens they join.
///
/// A merge's rank is its place in the list; lower ranks are applied first. 12 bytes a merge and 4
/// bytes a hash slot: some 3 MB for a vocabulary of 152,000.
struct MergeTable: Sendable, MergeRules {
  /// Ids of the left token, the right token and the token made of both, by rank.
  private var merges: [Merge] = []
  /// Ranks, or `empty`; the count is a power of two.
  private var slots: [Int32]

  struct Merge {
    let left: Int32
    let right: Int32
    let result: Int32
  }

  private static let empty: Int32 = -1

  /// What the table keeps in memory.
  var byteCount: Int {
    merges.count * MemoryLayout<Merge>.stride + slots.count * MemoryLayout<Int32>.stride
  }

  /// The rank of the merge that joins two tokens; ids that no token has are joined by none.
  func join(_ left: Int32, _ right: Int32, _ word: Span<UInt8>, _ range: Range<Int>) -> Int32? {
    let rank = slots[slot(left, right)]
    return rank == Self.empty ? nil : rank
  }

  func rank(of join: Int32) -> Int32 { join }

  func token(of join: Int32) -> Int32 { merges[Int(join)].result }

  /// The slot of the pair, or the free one where it would be.
  private func slot(_ left: Int32, _ right: Int32) -> Int {
    let key = UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    let mixed = (key ^ (key >> 29)) &* 0x9E37_79B9_7F4A_7C15
    var slot = Int(truncatingIfNeeded: mixed >> 32) & (slots.count - 1)
    while slots[slot] != Self.empty {
      let merge = merges[Int(slots[slot])]
      if merge.left == left && merge.right == right { break }
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }
}

extension MergeTable {
  /// Reads merges written as two tokens with a space between.
  ///
  /// Throws where one is not written so or names a token, left, right or joined, that is not in
  /// `tokens`. Of merges of the same pair the first counts.
  init(
    _ list: PackedStrings, tokens: TokenTextTable,
    metadata: TokenizerMetadata
  ) throws(TokenizerError) {
    guard list.count < joinRankLimit else {
      throw metadata.error(
        .wrongCount, MetadataKey.merges, wanted: "fewer than \(joinRankLimit) merges",
        found: "\(list.count)")
    }
    slots = Array(repeating: Self.empty, count: hashSlotCount(for: list.count))
    merges.reserveCapacity(list.count)
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
      let slot = self.slot(leftToken, rightToken)
      if slots[slot] == Self.empty { slots[slot] = Int32(rank) }
      merges.append(Merge(left: leftToken, right: rightToken, result: result))
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
