import MoECore

/// SentencePiece's table of what characters are replaced by before text is encoded: a form of
/// Unicode's NFKC with white space and controls made alike (`precompiled_charsmap`).
///
/// The table is bytes: the size of a trie in 32 bits, the trie as a double array (darts-clone), and
/// texts that each end in a zero. The longest sequence in the trie at a place is replaced by the
/// text that its number points to.
struct CharacterMap: Sendable {
  private let units: [UInt32]
  private let texts: [UInt8]

  var byteCount: Int { units.count * MemoryLayout<UInt32>.stride + texts.count }

  /// Nil where the bytes do not have this form.
  init?(_ bytes: [UInt8]) {
    func unit(_ index: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(bytes[4 * index + $1]) << UInt32(8 * $1) }
    }
    guard bytes.count >= 4 else { return nil }
    let trieByteCount = Int(unit(0))
    guard trieByteCount >= 4, trieByteCount % 4 == 0, trieByteCount <= bytes.count - 4 else {
      return nil
    }
    units = (1...trieByteCount / 4).map(unit)
    texts = Array(bytes[(4 + trieByteCount)...])
  }

  /// The text with everything replaced.
  func normalized(_ text: Span<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    var index = 0
    while index < text.count {
      if let (start, byteCount) = replacement(in: text, at: index) {
        var byte = start
        while byte < texts.count, texts[byte] != 0 {
          result.append(texts[byte])
          byte += 1
        }
        index += byteCount
      } else {
        let end = index + text.scalar(at: index).byteCount
        while index < end {
          result.append(text[index])
          index += 1
        }
      }
    }
    return result
  }

  /// Where the text begins that replaces the longest known sequence at a place, and the sequence's
  /// length; nil where nothing is replaced. A damaged trie leads nowhere, never outside.
  private func replacement(in text: Span<UInt8>, at start: Int) -> (text: Int, byteCount: Int)? {
    var found: (Int, Int)?
    var node = Self.offset(units[0])
    var index = start
    while index < text.count {
      node ^= Int(text[index])
      guard node < units.count, units[node] & 0x8000_00FF == UInt32(text[index]) else { break }
      let unit = units[node]
      node ^= Self.offset(unit)
      index += 1
      if unit >> 8 & 1 != 0, node < units.count {
        found = (Int(units[node] & 0x7FFF_FFFF), index - start)
      }
    }
    return found
  }

  private static func offset(_ unit: UInt32) -> Int { Int(unit >> 10) << Int((unit & 0x200) >> 6) }
}
