/// Splits single words into tokens by byte-pair merging (Sennrich, Haddow and Birch 2016).
///
/// Starts from the word's bytes and applies, again and again, the merge of the lowest rank, the
/// leftmost where it applies at several places. Words are linked lists of symbols with a priority
/// queue of the merges at hand, so a word of n bytes takes O(n log n) time whatever it is made of,
/// and 32 to 48 bytes of scratch for each of its bytes. The scratch is kept from word to word.
struct BytePairMerger {
  private let merges: MergeTable
  /// Token of each byte, or `noToken`.
  private let byteTokens: [Int32]
  /// Stands for bytes that the vocabulary lacks; without it they are left out.
  private let unknownToken: Int32?
  private var symbols: [Symbol] = []
  private var queue = MinimumQueue()

  private struct Symbol {
    var token: Int32
    /// Neighbours as indices into `symbols`: -1 before the first, the count after the last.
    var previous: Int
    var next: Int
  }

  /// A byte without a token; it joins with nothing.
  static let noToken: Int32 = -1
  /// A symbol that became part of the one to its left.
  private static let merged: Int32 = -2

  init(merges: MergeTable, byteTokens: [Int32], unknownToken: Int32?) {
    self.merges = merges
    self.byteTokens = byteTokens
    self.unknownToken = unknownToken
  }

  mutating func append(_ word: Span<UInt8>, to tokens: inout [Int32]) {
    symbols.removeAll(keepingCapacity: true)
    for index in word.indices {
      symbols.append(
        Symbol(token: byteTokens[Int(word[index])], previous: index - 1, next: index + 1))
    }
    for index in symbols.indices.dropLast() { enqueue(index) }
    while let entry = queue.popFirst() { apply(entry) }

    var index = 0
    while index < symbols.count {
      let token = symbols[index].token
      if token != Self.noToken {
        tokens.append(token)
      } else if let unknownToken {
        tokens.append(unknownToken)
      }
      index = symbols[index].next
    }
  }

  /// Notes the merge of a symbol with its right neighbour, if there is one.
  ///
  /// An entry orders by rank, then position: 28 bits and 36 bits.
  private mutating func enqueue(_ position: Int) {
    let next = symbols[position].next
    guard next < symbols.count,
      let rank = merges.rank(symbols[position].token, symbols[next].token)
    else { return }
    queue.insert(UInt64(rank) << 36 | UInt64(position))
  }

  /// Applies a noted merge unless an earlier one has taken one of its symbols.
  private mutating func apply(_ entry: UInt64) {
    let merge = merges[Int(entry >> 36)]
    let left = Int(entry & (1 << 36 - 1))
    let right = symbols[left].next
    guard symbols[left].token == merge.left, right < symbols.count,
      symbols[right].token == merge.right
    else { return }
    symbols[left].token = merge.result
    symbols[left].next = symbols[right].next
    symbols[right].token = Self.merged
    if symbols[left].next < symbols.count { symbols[symbols[left].next].previous = left }
    if symbols[left].previous >= 0 { enqueue(symbols[left].previous) }
    enqueue(left)
  }
}

/// A binary heap of integers, the smallest first.
struct MinimumQueue {
  private var heap: [UInt64] = []

  mutating func insert(_ entry: UInt64) {
    heap.append(entry)
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      if heap[parent] <= heap[child] { return }
      heap.swapAt(parent, child)
      child = parent
    }
  }

  mutating func popFirst() -> UInt64? {
    guard let last = heap.popLast() else { return nil }
    guard let first = heap.first else { return last }
    heap[0] = last
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < heap.count else { return first }
      if child + 1 < heap.count && heap[child + 1] < heap[child] { child += 1 }
      if heap[parent] <= heap[child] { return first }
      heap.swapAt(parent, child)
      parent = child
    }
  }
}
