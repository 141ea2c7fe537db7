extension NodeGraphBuilder {
  /// The nodes of an automaton, with characters as the encoding writes them.
  mutating func entry(
    _ automaton: ScalarAutomaton, _ encoding: TextEncoding, next: Int32
  ) throws(GrammarError) -> Int32 {
    if automaton.isEmpty { return try split([]) }
    var readers: [Int32] = []
    var entries: [Int32] = []
    for state in automaton.states {
      let reader = try add(.accept)
      readers.append(reader)
      entries.append(
        !state.isAccepting ? reader : state.transitions.isEmpty ? next : try split([reader, next]))
    }
    for (index, state) in automaton.states.enumerated() {
      var sets: [Int32: [ClosedRange<UInt32>]] = [:]
      for transition in state.transitions {
        sets[entries[Int(transition.target)], default: []].append(
          transition.first...transition.last)
      }
      // In a fixed order, so that the same grammar always has the same nodes.
      let targets = sets.keys.sorted().map { (target: $0, set: ScalarSet(sets[$0] ?? [])) }
      try fill(readers[index], try edges(targets, encoding))
    }
    return entries[0]
  }

  private mutating func edges(
    _ targets: [(target: Int32, set: ScalarSet)], _ encoding: TextEncoding
  ) throws(GrammarError) -> [NodeGraph.Edge] {
    var result: [NodeGraph.Edge] = []
    var escapes: [NodeGraph.Edge] = []
    for (target, set) in targets {
      if encoding == .plain {
        result += try edges(ScalarBytes.utf8(set), to: target)
        continue
      }
      result += try edges(
        ScalarBytes.utf8(set.intersection(ScalarBytes.unescaped)), to: target)
      for (scalar, letter) in ScalarBytes.shortEscapes where set.contains(scalar) {
        escapes.append(NodeGraph.Edge(first: letter, last: letter, target: target))
      }
      let escaped =
        encoding == .freeString ? set : set.subtracting(ScalarBytes.neverEscaped)
      escapes += try edges(ScalarBytes.unicodeEscapes(escaped), to: target)
    }
    if !escapes.isEmpty {
      let backslash = UInt8(ascii: "\\")
      result.append(
        NodeGraph.Edge(first: backslash, last: backslash, target: try read(escapes)))
    }
    return result
  }
}
