/// Walks through a tree of tokens along with a grammar.
extension TokenJudge {
  /// Goes through a tree from a state, marks the tokens whose bytes lead on, and notes where what
  /// was called has ended.
  mutating func walk(
    _ trie: TokenTrie, from start: StateTable.Step, _ result: inout Judgement,
    exits: WritableKeyPath<Judgement, [Int32]>
  ) throws(GrammarError) {
    var findings = WalkFindings(
      reach: result.reach, findsReach: result.findsReach,
      codes: table.codes(following: result.following))
    path[0] = start.number
    try walk(trie, 0..<trie.nodeCount, &findings)
    result.reach = findings.reach
    result[keyPath: exits] += findings.exits
  }

  /// Goes on with nodes before which what was called has ended.
  mutating func walk(
    _ trie: TokenTrie, behind exits: [Int32], from step: StateTable.Step
  ) throws(GrammarError) {
    var findings = WalkFindings(reach: 0, findsReach: false, codes: table.codes)
    for exit in exits {
      let node = trie.nodes[Int(exit)]
      path[Int(node.depth) - 1] = step.number
      try walk(trie, Int(exit)..<Int(node.end), &findings)
    }
  }

  /// - Parameter range: Nodes below one whose step is in `path`.
  private mutating func walk(
    _ trie: TokenTrie, _ range: Range<Int>, _ findings: inout WalkFindings
  ) throws(GrammarError) {
    // Taken out, so that they can be written to while the table is read.
    var path: [Int32] = []
    var words: [UInt64] = []
    swap(&path, &self.path)
    swap(&words, &self.words)
    defer {
      swap(&path, &self.path)
      swap(&words, &self.words)
    }
    var walk = TokenWalk(trie, place: range.lowerBound, end: range.upperBound)
    while true {
      var pathSpan = path.mutableSpan
      var wordSpan = words.mutableSpan
      walk.run(trie, table, &pathSpan, &wordSpan, &findings)
      if walk.place >= walk.end { return }
      try look(trie, &walk, &path, &words, &findings)
    }
  }

  /// Deals with a node where something is new: where its byte leads, or what is known of the state
  /// there.
  private mutating func look(
    _ trie: TokenTrie, _ walk: inout TokenWalk, _ path: inout [Int32], _ words: inout [UInt64],
    _ findings: inout WalkFindings
  ) throws(GrammarError) {
    let node = trie.nodes[walk.place]
    let parent = StateTable.Step(number: path[Int(node.depth) - 1])
    let code = findings.codes[Int(node.byte)]
    let byteClass = UInt8(truncatingIfNeeded: code)
    let step = try table.step(from: parent.state, by: byteClass)
    guard step.leadsOn else { return }
    path[Int(node.depth)] = step.number
    findings.reach = max(findings.reach, table.facts[Int(step.state)].reach)
    var end = walk.place + 1
    if trie.isPlain && step.needsLook {
      let run = try plainRun(of: step.state)
      if run == 0 { table.keepLook(from: parent.state, by: byteClass) }
      // Whatever is below: all of it is read.
      if run > 0 && run >= Int32(node.heightMax) { end = Int(node.end) }
    }
    if parent.hasEmptyStack && code >> 8 != 0 { findings.exits.append(Int32(walk.place)) }
    for index in node.firstToken..<trie.nodes[end].firstToken {
      let token = trie.tokens[Int(index)]
      words[Int(token) >> 6] |= 1 << UInt64(token & 63)
    }
    walk.place = end
  }
}

/// What a walk notes besides tokens.
struct WalkFindings {
  /// Nodes whose byte can stand behind what was called, where that has ended before them.
  var exits: [Int32] = []
  /// The largest depth from which a state that was met can come to its end.
  var reach: Int32
  /// Whether that can grow on the way.
  var findsReach: Bool
  /// For each byte its class, and 256 more where it can stand behind what was called.
  var codes: [UInt16]
}

/// The part of a walk that is taken for each node: as long as all that it asks is known.
struct TokenWalk {
  /// The node at which the walk is.
  var place: Int
  let end: Int
  private let isPlain: Bool

  init(_ trie: TokenTrie, place: Int, end: Int) {
    self.place = place
    self.end = end
    isPlain = trie.isPlain
  }

  /// Walks to the end, or to a node whose byte or state needs a look that may change the table.
  mutating func run(
    _ trie: TokenTrie, _ table: borrowing StateTable, _ path: inout MutableSpan<Int32>,
    _ words: inout MutableSpan<UInt64>, _ findings: inout WalkFindings
  ) {
    let (nodes, tokens) = (trie.nodes.span, trie.tokens.span)
    let (steps, facts) = (table.steps.span, table.facts.span)
    let rowShift = table.rowShift
    let (findsReach, reach) = (findings.findsReach, findings.reach)
    let isPlain = isPlain
    let end = end
    var exits: [Int32] = []
    swap(&exits, &findings.exits)
    defer { swap(&exits, &findings.exits) }
    let codes = findings.codes.span
    var place = place
    // Tokens of nodes that lead on one after the other lie one after the other too.
    var firstToken = nodes[place].firstToken
    while place < end {
      let node = nodes[place]
      let depth = Int(node.depth)
      let code = codes[Int(node.byte)]
      let parent = path[depth - 1]
      let step = StateTable.Step(
        number: steps[Int(parent >> 2) << rowShift + Int(code & 0xFF)])
      if !step.leadsOn {
        Self.mark(tokens, firstToken..<node.firstToken, &words)
        firstToken = node.firstToken
        if step.isUnknown { break }
        if parent & 1 & Int32(code >> 8) != 0 { exits.append(Int32(place)) }
        place = Int(node.end)
        firstToken = nodes[place].firstToken
        continue
      }
      if (isPlain && step.needsLook) || (findsReach && facts[Int(step.state)].reach > reach) {
        Self.mark(tokens, firstToken..<node.firstToken, &words)
        firstToken = node.firstToken
        break
      }
      if parent & 1 & Int32(code >> 8) != 0 { exits.append(Int32(place)) }
      path[depth] = step.number
      place += 1
    }
    if place >= end { Self.mark(tokens, firstToken..<nodes[place].firstToken, &words) }
    self.place = place
  }

  @inline(__always)
  private static func mark(
    _ tokens: Span<Int32>, _ range: Range<Int32>, _ words: inout MutableSpan<UInt64>
  ) {
    for index in range {
      let token = tokens[Int(index)]
      words[Int(token) >> 6] |= 1 << UInt64(token & 63)
    }
  }
}
