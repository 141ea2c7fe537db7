/// Nodes that are reached without reading anything more, while they are being found.
struct Closure: Sendable {
  struct Entry: Sendable {
    var node: Int32
    var count: Int32
    var below: Int32
    /// Another entry of the same node with another count; -1 for none.
    var next: Int32
  }

  var entries: [Entry] = []
  /// Entries whose ways on have not been followed yet.
  var pending: [Int32] = []
  var hasEmptyStack = false
  /// For each node its last entry, where the mark is of this closure.
  private var heads: [Int32]
  private var marks: [UInt32]
  private var mark: UInt32 = 0

  init(nodeCount: Int) {
    heads = Array(repeating: -1, count: nodeCount)
    marks = Array(repeating: 0, count: nodeCount)
  }

  var byteCount: Int { 8 * heads.count + entries.capacity * MemoryLayout<Entry>.stride }

  mutating func begin() {
    entries.removeAll(keepingCapacity: true)
    pending.removeAll(keepingCapacity: true)
    hasEmptyStack = false
    mark &+= 1
    if mark == 0 {
      marks = Array(repeating: 0, count: marks.count)
      mark = 1
    }
  }

  /// The entry of a node with a count; nil where there is none.
  func place(of node: Int32, _ count: Int32) -> Int? {
    var place = marks[Int(node)] == mark ? heads[Int(node)] : -1
    while place >= 0 {
      if entries[Int(place)].count == count { return Int(place) }
      place = entries[Int(place)].next
    }
    return nil
  }

  mutating func append(_ node: Int32, _ count: Int32, _ below: Int32) -> Int {
    let next = marks[Int(node)] == mark ? heads[Int(node)] : -1
    marks[Int(node)] = mark
    heads[Int(node)] = Int32(entries.count)
    entries.append(Entry(node: node, count: count, below: below, next: next))
    return entries.count - 1
  }
}

extension StateTable {
  mutating func findStep(
    from state: Int32, by byteClass: UInt8
  ) throws(GrammarError) -> Step {
    closure.begin()
    for index in 0..<frameCount(state) {
      let frame = frame(index, of: state)
      for place in nodeSets.range(of: frame.nodeSet) {
        guard case .read(let first, let count) = graph.nodes[Int(nodeSets.values[place])] else {
          continue
        }
        try spendStep()
        for edge in first..<first + count {
          let edge = graph.edges[Int(edge)]
          if edge.first <= byteClass && byteClass <= edge.last {
            try add(edge.target, frame.count, frame.below)
          }
        }
      }
    }
    return try close()
  }

  /// The state at the beginning of the text.
  mutating func start() throws(GrammarError) -> Step {
    closure.begin()
    try add(graph.starts[Int(graph.root)], 0, Self.ended)
    return try close()
  }

  mutating func addFrames(of state: Int32) throws(GrammarError) {
    if hasEmptyStack(state) { closure.hasEmptyStack = true }
    for index in 0..<frameCount(state) {
      let frame = frame(index, of: state)
      for place in nodeSets.range(of: frame.nodeSet) {
        try add(nodeSets.values[place], frame.count, frame.below)
      }
    }
  }

  private mutating func add(
    _ node: Int32, _ count: Int32, _ below: Int32
  ) throws(GrammarError) {
    try spendStep()
    // From here the text could not come back to an end that is shallow enough.
    if facts[Int(below)].depth + graph.needs[Int(node)] > graph.depthMax { return }
    guard let place = closure.place(of: node, count) else {
      let place = closure.append(node, count, below)
      if !isReading(node) { closure.pending.append(Int32(place)) }
      return
    }
    let joined = try union(closure.entries[place].below, below)
    if joined == closure.entries[place].below { return }
    closure.entries[place].below = joined
    if !isReading(node) { closure.pending.append(Int32(place)) }
  }

  private func isReading(_ node: Int32) -> Bool {
    if case .read = graph.nodes[Int(node)] { true } else { false }
  }

  /// Follows what is pending, and makes a state of the nodes that read.
  mutating func close() throws(GrammarError) -> Step {
    while let place = closure.pending.popLast() {
      let entry = closure.entries[Int(place)]
      switch graph.nodes[Int(entry.node)] {
      case .read: break
      case .accept: try addFrames(of: entry.below)
      case .split(let first, let count):
        for target in first..<first + count {
          try add(graph.targets[Int(target)], entry.count, entry.below)
        }
      case .call(let rule, let next):
        let frame = Frame(nodeSet: nodeSet([next]), count: entry.count, below: entry.below)
        let caller = state(hasEmptyStack: false, [frame])
        try add(graph.starts[Int(rule)], 0, caller)
      case .replace(let rule): try add(graph.starts[Int(rule)], 0, entry.below)
      case .enter(let loop): try goOn(in: graph.loops[Int(loop)], 0, entry.below)
      case .again(let loop):
        let loop = graph.loops[Int(loop)]
        // Where there is no limit, counts past the least one are all the same.
        let count = loop.max < 0 ? min(entry.count + 1, loop.min) : entry.count + 1
        try goOn(in: loop, count, entry.below)
      }
    }
    let hasEmptyStack = closure.hasEmptyStack
    var reading = closure.entries.filter { isReading($0.node) }
    if reading.isEmpty && !hasEmptyStack { return .nowhere }
    let found = state(hasEmptyStack: hasEmptyStack, frames(of: &reading))
    return Step(to: found, hasEmptyStack: hasEmptyStack)
  }

  private mutating func goOn(
    in loop: NodeGraph.Loop, _ count: Int32, _ below: Int32
  ) throws(GrammarError) {
    if loop.max < 0 || count < loop.max { try add(loop.body, count, below) }
    if count >= loop.min { try add(loop.exit, 0, below) }
  }
}
