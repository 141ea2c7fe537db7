/// Makes the automaton of a regular expression: the texts in which it is found somewhere.
///
/// Thompson's construction, then the construction of subsets (Rabin and Scott 1959).
struct PatternAutomaton {
  private enum Node {
    /// Reads one character of a set.
    case read(ScalarSet, Int)
    case split([Int])
    /// Passed at the beginning or the end of the text alone.
    case textStart(Int)
    case textEnd(Int)
    /// The expression was found: whatever follows is accepted.
    case found
  }

  private var nodes: [Node] = [.found]
  private let reading: PatternReading

  static func automaton(
    of text: String, reading: PatternReading = .narrow, _ budget: inout AutomatonBudget
  ) throws(GrammarError) -> ScalarAutomaton {
    let pattern = try PatternParser.parse(text, reading: reading, at: budget.place)
    var construction = PatternAutomaton(reading: reading)
    let entry = try construction.node(pattern, next: 0, budget)
    return try construction.subsets(from: entry, &budget)
  }

  private init(reading: PatternReading) { self.reading = reading }

  private mutating func add(
    _ node: Node, _ budget: AutomatonBudget
  ) throws(GrammarError) -> Int {
    if nodes.count >= GrammarLimits.patternNodeCountMax {
      throw GrammarError(
        .limit,
        "a regular expression unrolls to more than \(GrammarLimits.patternNodeCountMax) parts",
        at: budget.place)
    }
    nodes.append(node)
    return nodes.count - 1
  }

  /// The node from which the pattern is read and then `next`.
  private mutating func node(
    _ pattern: Pattern, next: Int, _ budget: AutomatonBudget
  ) throws(GrammarError) -> Int {
    switch pattern {
    case .set(let set): return try add(.read(set, next), budget)
    case .textStart: return try add(.textStart(next), budget)
    case .textEnd:
      if reading == .narrow { return try add(.textEnd(next), budget) }
      // One line break may stand behind the end.
      let end = try add(.textEnd(next), budget)
      let lineBreak = try add(.read(ScalarSet("\n"), end), budget)
      return try add(.split([end, lineBreak]), budget)
    case .sequence(let parts):
      var entry = next
      for part in parts.reversed() { entry = try node(part, next: entry, budget) }
      return entry
    case .choice(let parts):
      var entries: [Int] = []
      for part in parts { entries.append(try node(part, next: next, budget)) }
      return try add(.split(entries), budget)
    case .repetition(let part, let min, let max):
      var entry = next
      if let max {
        for _ in min..<max {
          entry = try add(.split([next, try node(part, next: entry, budget)]), budget)
        }
      } else {
        let loop = try add(.split([next]), budget)
        nodes[loop] = .split([next, try node(part, next: loop, budget)])
        entry = loop
      }
      for _ in 0..<min {
        let count = nodes.count
        entry = try node(part, next: entry, budget)
        // A part that is nothing is nothing however often.
        if nodes.count == count { break }
      }
      return entry
    }
  }

  /// What is known after some characters: nodes at which the search may be.
  private struct Subset {
    var nodes: [Int]
    var isFound: Bool
    /// Whether the text may end here.
    var isAccepting: Bool
  }

  /// Follows all ways that read nothing.
  private func closure(
    of entries: [Int], atStart: Bool, _ budget: inout AutomatonBudget
  ) throws(GrammarError) -> Subset {
    var result = Subset(nodes: [], isFound: false, isAccepting: false)
    // A way past the end of the text counts for acceptance alone.
    var seen = Set<Int>()
    var pending = entries.map { (node: $0, isPastEnd: false) }
    while let (index, isPastEnd) = pending.popLast() {
      guard seen.insert(index << 1 | (isPastEnd ? 1 : 0)).inserted else { continue }
      try budget.spend()
      switch nodes[index] {
      case .read: if !isPastEnd { result.nodes.append(index) }
      case .split(let targets): pending += targets.map { ($0, isPastEnd) }
      case .textStart(let next): if atStart { pending.append((next, isPastEnd)) }
      case .textEnd(let next): pending.append((next, true))
      case .found:
        if !isPastEnd { result.isFound = true }
        result.isAccepting = true
      }
    }
    result.nodes.sort()
    return result
  }

  /// - Parameter entry: where the search begins, again before each character.
  private func subsets(
    from entry: Int, _ budget: inout AutomatonBudget
  ) throws(GrammarError) -> ScalarAutomaton {
    let restart = try closure(of: [entry], atStart: false, &budget)
    let start = try closure(of: [entry], atStart: true, &budget)
    if start.isFound { return .all }
    var numbers: [[Int]: Int32] = [:]
    var subsets: [Subset] = []
    func number(_ subset: Subset) -> Int32 {
      // Where it was found, nothing else matters.
      let key = subset.isFound ? [-1] : subset.nodes + [subset.isAccepting ? -3 : -2]
      if let number = numbers[key] { return number }
      numbers[key] = Int32(subsets.count)
      subsets.append(subset)
      return Int32(subsets.count - 1)
    }
    _ = number(start)
    var states: [ScalarAutomaton.State] = []
    while states.count < subsets.count {
      let subset = subsets[states.count]
      try budget.spendState(states.count)
      var state = ScalarAutomaton.State(transitions: [], isAccepting: subset.isAccepting)
      if subset.isFound {
        let own = Int32(states.count)
        state.transitions = ScalarSet.all.ranges.map {
          ScalarAutomaton.Transition(first: $0.lowerBound, last: $0.upperBound, target: own)
        }
      } else {
        for (range, targets) in try pieces(of: subset.nodes, &budget) {
          let next = try merged(closure(of: targets, atStart: false, &budget), restart, &budget)
          state.transitions.append(
            ScalarAutomaton.Transition(
              first: range.lowerBound, last: range.upperBound, target: number(next)))
        }
      }
      states.append(state)
    }
    return ScalarAutomaton(trimming: states)
  }

  private func merged(
    _ subset: Subset, _ restart: Subset, _ budget: inout AutomatonBudget
  ) throws(GrammarError) -> Subset {
    try budget.spend(subset.nodes.count + restart.nodes.count)
    return Subset(
      nodes: Set(subset.nodes).union(restart.nodes).sorted(),
      isFound: subset.isFound || restart.isFound,
      isAccepting: subset.isAccepting || restart.isAccepting)
  }

  /// The characters in pieces that lead to the same nodes: all of them, as the search also begins
  /// anew behind a character that nothing reads.
  private func pieces(
    of readers: [Int], _ budget: inout AutomatonBudget
  ) throws(GrammarError) -> [(range: ClosedRange<UInt32>, targets: [Int])] {
    var changes: [(scalar: UInt32, target: Int, isEnd: Bool)] = []
    for reader in readers {
      guard case .read(let set, let target) = nodes[reader] else { continue }
      for range in set.ranges {
        changes.append((range.lowerBound, target, false))
        changes.append((range.upperBound + 1, target, true))
      }
    }
    changes.sort { $0.scalar < $1.scalar }
    var result: [(range: ClosedRange<UInt32>, targets: [Int])] = []
    var counts: [Int: Int] = [:]
    var (index, start) = (0, UInt32(0))
    while start <= 0x10FFFF {
      while index < changes.count && changes[index].scalar == start {
        let change = changes[index]
        counts[change.target, default: 0] += change.isEnd ? -1 : 1
        if counts[change.target] == 0 { counts[change.target] = nil }
        index += 1
      }
      let end = index < changes.count ? changes[index].scalar : 0x110000
      try budget.spend(counts.count + 1)
      for range in ScalarSet([start...(end - 1)]).ranges {
        result.append((range, counts.keys.sorted()))
      }
      start = end
    }
    return result
  }
}
