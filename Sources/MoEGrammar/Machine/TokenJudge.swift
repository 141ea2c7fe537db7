/// Judges all tokens at once at one place of a grammar.
///
/// Most tokens can be judged without knowing what called the rule that is being written: they end
/// within it, or break it (XGrammar, arXiv 2411.15100, section 3.1). These judgements are kept for
/// each set of nodes and count, whatever lies below. For tokens that end the rule in their middle,
/// the places in the tree of tokens are kept at which they do; from there on they are judged for
/// the state at hand.
struct TokenJudge: Sendable {
  var table: StateTable
  let vocabulary: GrammarVocabulary
  /// By set of nodes and count; see `key`.
  private var judgements: RecentCache<UInt64, Judgement>
  /// Whether plain text leads back to a set of nodes, by its number.
  var plainLoops: [Int32: PlainLoop] = [:]
  /// Where a walk is, by depth in the tree.
  var path: [Int32]
  /// The mask that is being made.
  var words: [UInt64]

  struct Judgement: Sendable {
    var mask: TokenMask
    /// Nodes of the two trees whose byte can stand behind what was called, where that has ended
    /// before them.
    var plainExits: [Int32] = []
    var otherExits: [Int32] = []
    /// The largest depth from which what was met on the way can come to its end.
    var reach: Int32 = 0
    /// Whether what is called can be deeper than the frame itself.
    var findsReach = true
    /// Bytes that can stand behind what has ended.
    var following = ByteSet()

    var byteCount: Int { mask.byteCount + 4 * (plainExits.count + otherExits.count) + 64 }
  }

  init(_ graph: NodeGraph, _ vocabulary: GrammarVocabulary) {
    table = StateTable(graph)
    self.vocabulary = vocabulary
    judgements = RecentCache(byteCountMax: GrammarLimits.judgementByteCountMax) { $0.byteCount }
    path = Array(repeating: 0, count: vocabulary.tokenByteCountMax + 1)
    words = Array(repeating: 0, count: (vocabulary.count + 63) / 64)
  }

  var byteCount: Int {
    stateByteCount + judgements.byteCount + path.count * 4 + words.count * 8
  }

  /// What grows with the states that are known.
  var stateByteCount: Int { table.byteCount + plainLoops.capacity * 24 }

  /// Forgets the table's states; where sets of nodes take too much as well, these and what is kept
  /// by their numbers.
  mutating func forgetStates() {
    table.forgetStates()
    if stateByteCount <= GrammarLimits.stateByteCountMax / 2 { return }
    table.forgetAll()
    judgements.removeAll()
    plainLoops = [:]
  }

  /// The tokens that a state allows.
  mutating func mask(of state: Int32) throws(GrammarError) -> TokenMask {
    var frames: [StateTable.Frame] = []
    for index in 0..<table.frameCount(state) { frames.append(table.frame(index, of: state)) }
    var found: [(judgement: Judgement, below: Int32)] = []
    for frame in frames {
      let judgement = try judgement(frame)
      // So deep that the limit may cut what the judgement allows: all is judged for the state.
      if table.facts[Int(frame.below)].depth + judgement.reach > table.graph.depthMax {
        return try maskWithoutJudgements(of: state)
      }
      found.append((judgement, frame.below))
    }
    clearWords()
    for (judgement, _) in found { judgement.mask.insert(into: &words) }
    for (judgement, below) in found where below != StateTable.ended {
      if judgement.plainExits.isEmpty && judgement.otherExits.isEmpty { continue }
      let step = try table.resume(below)
      guard step.leadsOn else { continue }
      try walk(vocabulary.plain.trie, behind: judgement.plainExits, from: step)
      try walk(vocabulary.other, behind: judgement.otherExits, from: step)
    }
    return finished(state)
  }

  private mutating func maskWithoutJudgements(
    of state: Int32
  ) throws(GrammarError) -> TokenMask {
    clearWords()
    var ignored = Judgement(mask: TokenMask([], vocabularySize: 0))
    let start = StateTable.Step(to: state, hasEmptyStack: false)
    try walk(vocabulary.plain.trie, from: start, &ignored, exits: \.plainExits)
    try walk(vocabulary.other, from: start, &ignored, exits: \.otherExits)
    return finished(state)
  }

  private mutating func finished(_ state: Int32) -> TokenMask {
    if table.hasEmptyStack(state) {
      for token in vocabulary.endTokens { words[Int(token) >> 6] |= 1 << UInt64(token & 63) }
    }
    return TokenMask(words, vocabularySize: vocabulary.count)
  }

  private mutating func clearWords() {
    for index in words.indices { words[index] = 0 }
  }

  // MARK: Judgements

  private mutating func judgement(
    _ frame: StateTable.Frame
  ) throws(GrammarError) -> Judgement {
    let key = UInt64(UInt32(frame.nodeSet)) << 32 | UInt64(UInt32(clampedCount(frame)))
    if let known = judgements.value(key) { return known }
    // Nothing is known of what lies below, so nothing does.
    let alone = StateTable.Frame(
      nodeSet: frame.nodeSet, count: frame.count, below: StateTable.ended)
    let state = table.state(hasEmptyStack: false, [alone])
    let start = StateTable.Step(to: state, hasEmptyStack: false)
    clearWords()
    var result = Judgement(mask: TokenMask([], vocabularySize: 0))
    result.reach = table.facts[Int(state)].reach
    result.findsReach = !table.nodeSetFacts[Int(frame.nodeSet)].callsNothing
    result.following = table.nodeSetFacts[Int(frame.nodeSet)].following
    if let length = try plainLength(at: frame) {
      vocabulary.plain.insert(upTo: length, into: &words)
    } else {
      try walk(vocabulary.plain.trie, from: start, &result, exits: \.plainExits)
    }
    try walk(vocabulary.other, from: start, &result, exits: \.otherExits)
    result.mask = TokenMask(words, vocabularySize: vocabulary.count)
    judgements.insert(result, for: key)
    return result
  }

  /// The least count from which a token can't tell the frame's: one token writes only so many
  /// bytes, and each count takes at least one.
  private func clampedCount(_ frame: StateTable.Frame) -> Int32 {
    let number = table.nodeSetFacts[Int(frame.nodeSet)].loop
    guard number >= 0 else { return frame.count }
    let loop = table.graph.loops[Int(number)]
    let reach = Int32(clamping: vocabulary.tokenByteCountMax + 1)
    if loop.min > reach && frame.count < loop.min - reach { return 0 }
    let isFarFromMax = loop.max < 0 || (loop.max > reach && frame.count < loop.max - reach)
    return frame.count >= loop.min && isFarFromMax ? loop.min : frame.count
  }
}
