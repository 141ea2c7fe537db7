/// Ranks take 28 bits in the merger's queue.
let joinRankLimit = 1 << 28

/// Which neighbouring symbols of a word join, and in which order.
protocol MergeRules {
  /// What joins two neighbours that together are the bytes `range` of `word`; nil where nothing
  /// does. The number means something to the rules alone.
  func join(_ left: Int32, _ right: Int32, _ word: Span<UInt8>, _ range: Range<Int>) -> Int32?

  /// Lower ranks are joined first; below `joinRankLimit`.
  func rank(of join: Int32) -> Int32

  /// The token that a join makes.
  func token(of join: Int32) -> Int32
}

/// Joins the symbols of a word, pair by pair, into tokens (Sennrich, Haddow and Birch 2016).
///
/// Applies, again and again, the join of the lowest rank, the leftmost where it applies at several
/// places. The symbols are a linked list with a priority queue of the joins at hand, so a word of n
/// bytes takes O(n log n) time whatever it is made of, and 32 to 48 bytes of scratch for each of
/// its bytes. The scratch is kept from word to word.
struct PairMerger<Rules: MergeRules> {
  let rules: Rules
  private var symbols: [Symbol] = []
  private var queue = MinimumQueue()
  /// Where the last symbol begins.
  private var lastStart = 0

  /// One for each byte of the word, at the byte's index; linked are those where a symbol begins.
  private struct Symbol {
    var token: Int32
    /// What joins the symbol with the next one, or `none`.
    var join: Int32
    /// Indices of the neighbours: -1 before the first, the count after the last.
    var previous: Int
    var next: Int
  }

  /// A symbol without a token.
  static var noToken: Int32 { -1 }
  private static var none: Int32 { -1 }

  init(rules: Rules) { self.rules = rules }

  /// Begins a word; its first symbols follow from left to right.
  mutating func begin() { symbols.removeAll(keepingCapacity: true) }

  /// Appends a symbol of some bytes.
  mutating func append(token: Int32, byteCount: Int) {
    let start = symbols.count
    let previous = start == 0 ? -1 : lastStart
    lastStart = start
    symbols.append(
      Symbol(token: token, join: Self.none, previous: previous, next: start + byteCount))
    for _ in 1..<byteCount {
      symbols.append(Symbol(token: Self.noToken, join: Self.none, previous: start, next: start))
    }
  }

  /// Joins what can be joined. `word` is the bytes that the symbols were appended for.
  mutating func merge(_ word: Span<UInt8>) {
    var index = 0
    while index < symbols.count {
      enqueue(index, word)
      index = symbols[index].next
    }
    while let entry = queue.popFirst() { apply(entry, word) }
  }

  /// The token of the symbol that begins at a byte, or `noToken`, and where its bytes end.
  func symbol(at start: Int) -> (token: Int32, end: Int) {
    (symbols[start].token, symbols[start].next)
  }

  /// Notes the join of a symbol with its right neighbour, if there is one.
  ///
  /// An entry orders by rank, then position: 28 bits and 36 bits.
  private mutating func enqueue(_ left: Int, _ word: Span<UInt8>) {
    let right = symbols[left].next
    guard right < symbols.count,
      let join = rules.join(
        symbols[left].token, symbols[right].token, word, left..<symbols[right].next)
    else {
      symbols[left].join = Self.none
      return
    }
    symbols[left].join = join
    queue.insert(UInt64(rules.rank(of: join)) << 36 | UInt64(left))
  }

  /// Applies a noted join unless an earlier one has taken one of its symbols.
  private mutating func apply(_ entry: UInt64, _ word: Span<UInt8>) {
    let left = Int(entry & (1 << 36 - 1))
    let join = symbols[left].join
    guard join != Self.none, rules.rank(of: join) == Int32(entry >> 36) else { return }
    let right = symbols[left].next
    let next = symbols[right].next
    symbols[left].token = rules.token(of: join)
    symbols[left].next = next
    symbols[right].join = Self.none
    if next < symbols.count { symbols[next].previous = left }
    if symbols[left].previous >= 0 { enqueue(symbols[left].previous, word) }
    enqueue(left, word)
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
