/// Builds the nodes of a grammar's rules, each from its end to its beginning.
struct NodeGraphBuilder {
  var graph = NodeGraph()
  private let grammar: NormalGrammar
  private var rule: Int32 = 0
  private var loop: Int32 = -1
  /// Nodes that read the rest of a character, by what they read and where they lead.
  private var rests: [[Int32]: Int32] = [:]

  init(_ grammar: NormalGrammar) throws(GrammarError) {
    self.grammar = grammar
    graph.root = Int32(grammar.root)
    graph.depthMax = Int32(grammar.depthMax)
  }

  mutating func build() throws(GrammarError) -> NodeGraph {
    _ = try add(.accept)
    for (index, expression) in grammar.rules.enumerated() {
      rule = Int32(index)
      rests.removeAll(keepingCapacity: true)
      graph.starts.append(try entry(expression, next: NodeGraph.accept))
    }
    return graph
  }

  mutating func add(_ node: NodeGraph.Node) throws(GrammarError) -> Int32 {
    if graph.nodes.count >= GrammarLimits.nodeCountMax {
      throw GrammarError(
        .limit, "the grammar needs more than \(GrammarLimits.nodeCountMax) nodes; make it smaller")
    }
    graph.nodes.append(node)
    graph.loopOfNode.append(loop)
    graph.ruleOfNode.append(rule)
    return Int32(graph.nodes.count - 1)
  }

  func addable(_ count: Int, to existing: Int) throws(GrammarError) {
    if existing + count > GrammarLimits.edgeCountMax {
      throw GrammarError(
        .limit, "the grammar needs more than \(GrammarLimits.edgeCountMax) edges; make it smaller")
    }
  }

  mutating func read(_ edges: [NodeGraph.Edge]) throws(GrammarError) -> Int32 {
    let node = try add(.accept)
    try fill(node, edges)
    return node
  }

  /// Makes a node one that reads.
  mutating func fill(_ node: Int32, _ edges: [NodeGraph.Edge]) throws(GrammarError) {
    try addable(edges.count, to: graph.edges.count)
    graph.nodes[Int(node)] = .read(
      first: Int32(graph.edges.count), count: Int32(edges.count))
    graph.edges += edges
  }

  mutating func split(_ targets: [Int32]) throws(GrammarError) -> Int32 {
    let node = try add(.accept)
    try fill(node, splitTo: targets)
    return node
  }

  mutating func fill(_ node: Int32, splitTo targets: [Int32]) throws(GrammarError) {
    try addable(targets.count, to: graph.targets.count)
    graph.nodes[Int(node)] = .split(
      first: Int32(graph.targets.count), count: Int32(targets.count))
    graph.targets += targets
  }

  /// The node at which the expression begins, and behind which `next` follows.
  private mutating func entry(
    _ expression: GrammarExpression, next: Int32
  ) throws(GrammarError) -> Int32 {
    switch expression {
    case .character(let set):
      return try read(edges(ScalarBytes.utf8(set), to: next))
    case .literal(let bytes):
      var node = next
      for byte in bytes.reversed() {
        node = try read([NodeGraph.Edge(first: byte, last: byte, target: node)])
      }
      return node
    case .sequence(let parts):
      var node = next
      for part in parts.reversed() { node = try entry(part, next: node) }
      return node
    case .choice(let parts):
      var targets: [Int32] = []
      for part in parts { targets.append(try entry(part, next: next)) }
      return targets.count == 1 ? targets[0] : try split(targets)
    case .repetition(let part, let min, let max): return try repetition(part, min, max, next: next)
    case .rule(let number):
      let called = Int32(number)
      return next == NodeGraph.accept
        ? try add(.replace(rule: called)) : try add(.call(rule: called, next: next))
    case .automaton(let automaton, let encoding):
      return try entry(automaton, encoding, next: next)
    }
  }

  private mutating func repetition(
    _ part: GrammarExpression, _ min: Int, _ max: Int?, next: Int32
  ) throws(GrammarError) -> Int32 {
    if max == nil && min <= 1 {
      let loop = try add(.accept)
      let body = try entry(part, next: loop)
      try fill(loop, splitTo: [body, next])
      return min == 1 ? body : loop
    }
    let number = Int32(graph.loops.count)
    let enter = try add(.enter(loop: number))
    graph.loops.append(
      NodeGraph.Loop(
        min: Int32(clamping: min), max: max.map { Int32(clamping: $0) } ?? -1, body: 0, exit: next))
    loop = number
    defer { loop = -1 }
    let again = try add(.again(loop: number))
    graph.loops[Int(number)].body = try entry(part, next: again)
    return enter
  }

  /// Edges for the first bytes of ways to write characters; the nodes for their rests are shared.
  mutating func edges(
    _ ways: [ScalarBytes.Way], to target: Int32
  ) throws(GrammarError) -> [NodeGraph.Edge] {
    var edges: [NodeGraph.Edge] = []
    for way in ways {
      let rest = try rest(way.dropFirst(), to: target)
      for range in way[0] {
        edges.append(
          NodeGraph.Edge(first: range.lowerBound, last: range.upperBound, target: rest))
      }
    }
    return edges
  }

  private mutating func rest(
    _ way: ArraySlice<[ClosedRange<UInt8>]>, to target: Int32
  ) throws(GrammarError) -> Int32 {
    guard let ranges = way.first else { return target }
    let next = try rest(way.dropFirst(), to: target)
    let key = [next, loop] + ranges.map { Int32($0.lowerBound) << 8 | Int32($0.upperBound) }
    if let known = rests[key] { return known }
    let node = try read(
      ranges.map { NodeGraph.Edge(first: $0.lowerBound, last: $0.upperBound, target: next) })
    rests[key] = node
    return node
  }
}
