/// What tells roughly how far two prompts begin alike, in a few bytes however long they are.
///
/// Numbers made of the first 16, 32, 64, ... tokens, each of the one before and the tokens since:
/// where two agree in one, they agree in all before it.
package struct PrefixSketch: Sendable, Equatable {
  /// 0 where the prompt is shorter.
  private(set) var marks = SIMD8<UInt32>(repeating: 0)

  private static let leastTokenCount = 16

  package init() {}

  package init(_ tokens: some Collection<Int32>) {
    var (hash, count, level) = (UInt64(0xCBF2_9CE4_8422_2325), 0, 0)
    for token in tokens {
      // FNV-1a over words, the product's upper half mixed in: an order is made of it, no decision.
      hash = (hash ^ UInt64(UInt32(bitPattern: token))) &* 0x0000_0100_0000_01B3
      hash ^= hash >> 29
      count += 1
      guard count == Self.leastTokenCount << level else { continue }
      marks[level] = max(1, UInt32(truncatingIfNeeded: hash >> 16))
      level += 1
      if level == marks.scalarCount { break }
    }
  }

  /// Tokens that both prompts begin with at least: one of 0, 16, 32, 64, ..., 2048. Of prompts
  /// that differ it may be too many once in some thousand millions.
  package func sharedTokenCount(with other: PrefixSketch) -> Int {
    var level = marks.scalarCount
    while level > 0, marks[level - 1] == 0 || marks[level - 1] != other.marks[level - 1] {
      level -= 1
    }
    return level == 0 ? 0 : Self.leastTokenCount << (level - 1)
  }

  /// Whether this comes first in an order in which prompts that begin alike are neighbors: those
  /// with 16 tokens in common, within them those with 32, and so on.
  package func precedes(_ other: PrefixSketch) -> Bool? {
    for level in 0..<marks.scalarCount where marks[level] != other.marks[level] {
      return marks[level] < other.marks[level]
    }
    return nil
  }
}
