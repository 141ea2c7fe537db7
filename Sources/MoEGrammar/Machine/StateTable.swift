/// The states that texts of a grammar have been in, and where bytes lead from each.
///
/// A state is a set of stacks, which has all ways in which what was written can be read. Stacks
/// with the same top are joined: a *frame* is a set of nodes, the count of the repetition they are
/// in, and the number of a state for what lies below. So the number of ways may be exponential and
/// a state still small (a graph-structured stack, Tomita 1987, in a form in which equal sets are
/// the same number). Found once, a step is one look-up.
struct StateTable: Sendable {
  let graph: NodeGraph
  /// Sets of nodes, ascending.
  private(set) var nodeSets = SequenceTable()
  private(set) var nodeSetFacts: [NodeSetFacts] = []
  /// One number that is 1 if the empty stack is in the state; then three for each frame.
  private(set) var states = SequenceTable()
  var facts: [StateFacts] = []
  /// (state, class of a byte), rows of a power of two: where it leads, as a `Step`.
  private(set) var steps: [Int32] = []
  /// The class of each byte.
  let codes: [UInt16]
  /// How far a state's number is shifted to be the place of its row.
  let rowShift: Int
  /// For a state that lies below: the one that goes on when what lay above has ended.
  private var resumed: [Int32] = []
  private var unions: [UInt64: Int32] = [:]
  /// Visits of nodes that the call in progress may still make.
  var stepsLeft = 0
  var closure: Closure

  struct Frame: Hashable {
    var nodeSet: Int32
    var count: Int32
    var below: Int32
  }

  struct NodeSetFacts: Sendable {
    /// The largest need of its nodes.
    var need: Int32
    /// The loop of all its nodes; -1 where they are in none or in several.
    var loop: Int32
    /// Whether none of its nodes' rules calls another.
    var callsNothing: Bool
    var following: ByteSet
  }

  struct StateFacts: Sendable {
    /// How many calls are open.
    var depth: Int32
    /// The largest depth from which one of its nodes can come to its end.
    var reach: Int32
    /// How many characters of plain text it reads, whichever they are; -1 where that isn't known.
    var plainRun: Int32 = -1
  }

  /// The state in which nothing is left: of the stacks, the empty one alone.
  static let ended: Int32 = 0

  init(_ graph: NodeGraph) {
    self.graph = graph
    closure = Closure(nodeCount: graph.nodes.count)
    var rowShift = 0
    while 1 << rowShift < graph.classCount { rowShift += 1 }
    self.rowShift = rowShift
    codes = graph.classOfByte.map { UInt16($0) }
    forgetStates()
  }

  var byteCount: Int {
    nodeSets.byteCount + nodeSetFacts.capacity * MemoryLayout<NodeSetFacts>.stride
      + states.byteCount + facts.capacity * MemoryLayout<StateFacts>.stride
      + 4 * (steps.capacity + resumed.capacity) + unions.capacity * 24 + closure.byteCount
  }

  /// Starts again without states. Numbers of states from before mean nothing any more.
  mutating func forgetStates() {
    states = SequenceTable()
    facts = []
    steps = []
    resumed = []
    unions = [:]
    _ = states.intern([1])
    appendFacts(StateFacts(depth: 0, reach: 0))
  }

  /// The same for sets of nodes.
  mutating func forgetAll() {
    nodeSets = SequenceTable()
    nodeSetFacts = []
    forgetStates()
  }

  private mutating func appendFacts(_ fact: StateFacts) {
    facts.append(fact)
    resumed.append(Step.unknown.number)
    steps.append(contentsOf: repeatElement(Step.unknown.number, count: 1 << rowShift))
  }

  // MARK: Reading states

  func hasEmptyStack(_ state: Int32) -> Bool {
    states.values[states.range(of: state).lowerBound] != 0
  }

  func frameCount(_ state: Int32) -> Int { states.range(of: state).count / 3 }

  func frame(_ index: Int, of state: Int32) -> Frame {
    let place = states.range(of: state).lowerBound + 1 + 3 * index
    return Frame(
      nodeSet: states.values[place], count: states.values[place + 1],
      below: states.values[place + 2])
  }

  // MARK: Making states

  mutating func nodeSet(_ nodes: [Int32]) -> Int32 {
    let (number, isNew) = nodeSets.intern(nodes)
    guard isNew else { return number }
    var fact = NodeSetFacts(
      need: 0, loop: -1, callsNothing: true, following: ByteSet())
    for (index, node) in nodes.enumerated() {
      fact.need = max(fact.need, graph.needs[Int(node)])
      let loop = graph.loopOfNode[Int(node)]
      fact.loop = index == 0 || fact.loop == loop ? loop : -1
      let rule = Int(graph.ruleOfNode[Int(node)])
      if graph.callsOthers[rule] { fact.callsNothing = false }
      _ = fact.following.formUnion(graph.following[rule])
    }
    nodeSetFacts.append(fact)
    return number
  }

  /// The state of these frames, which are in order.
  mutating func state(hasEmptyStack: Bool, _ frames: [Frame]) -> Int32 {
    var sequence: [Int32] = [hasEmptyStack ? 1 : 0]
    for frame in frames { sequence += [frame.nodeSet, frame.count, frame.below] }
    let (number, isNew) = states.intern(sequence)
    guard isNew else { return number }
    var fact = StateFacts(depth: 0, reach: 0)
    for frame in frames {
      let below = facts[Int(frame.below)]
      fact.depth = max(fact.depth, below.depth + 1)
      let reach = below.depth + nodeSetFacts[Int(frame.nodeSet)].need
      fact.reach = max(fact.reach, reach, below.reach)
    }
    appendFacts(fact)
    return number
  }

  /// The state with both states' stacks.
  mutating func union(_ first: Int32, _ second: Int32) throws(GrammarError) -> Int32 {
    if first == second { return first }
    let key = UInt64(min(first, second)) << 32 | UInt64(max(first, second))
    if let known = unions[key] { return known }
    var places: [UInt64: Int] = [:]
    var found: [Closure.Entry] = []
    for state in [first, second] {
      for index in 0..<frameCount(state) {
        let frame = frame(index, of: state)
        for place in nodeSets.range(of: frame.nodeSet) {
          try spendStep()
          let node = nodeSets.values[place]
          let key = UInt64(UInt32(node)) << 32 | UInt64(UInt32(frame.count))
          if let place = places[key] {
            found[place].below = try union(found[place].below, frame.below)
          } else {
            places[key] = found.count
            found.append(
              Closure.Entry(node: node, count: frame.count, below: frame.below, next: -1))
          }
        }
      }
    }
    let hasEmptyStack = hasEmptyStack(first) || hasEmptyStack(second)
    let result = state(hasEmptyStack: hasEmptyStack, frames(of: &found))
    unions[key] = result
    return result
  }

  /// Joins nodes of the same count and the same below to frames, in order.
  mutating func frames(of entries: inout [Closure.Entry]) -> [Frame] {
    entries.sort { ($0.below, $0.count, $0.node) < ($1.below, $1.count, $1.node) }
    var frames: [Frame] = []
    var start = 0
    while start < entries.count {
      let first = entries[start]
      var nodes: [Int32] = []
      while start < entries.count, entries[start].below == first.below,
        entries[start].count == first.count
      {
        nodes.append(entries[start].node)
        start += 1
      }
      frames.append(Frame(nodeSet: nodeSet(nodes), count: first.count, below: first.below))
    }
    return frames
  }

  @inline(__always)
  mutating func spendStep() throws(GrammarError) {
    stepsLeft -= 1
    if stepsLeft < 0 {
      throw GrammarError(
        .limit,
        "going on takes more than \(GrammarLimits.stepCountMax) steps here: too much of the "
          + "grammar reads the same text; make its alternatives differ earlier")
    }
  }

  // MARK: Steps

  /// Where a byte leads: nowhere, or to a state that has the empty stack or not.
  struct Step {
    let number: Int32

    static let unknown = Step(number: -2)
    static let nowhere = Step(number: -1)

    init(number: Int32) { self.number = number }

    /// - Parameter needsLook: Whether it is not known that the state reads no plain text as a
    ///   whole.
    init(to state: Int32, hasEmptyStack: Bool, needsLook: Bool = true) {
      number = state << 2 | (needsLook ? 2 : 0) | (hasEmptyStack ? 1 : 0)
    }

    var state: Int32 { number >> 2 }
    var needsLook: Bool { number & 2 != 0 }
    var hasEmptyStack: Bool { number & 1 != 0 }
    var leadsOn: Bool { number >= 0 }
    var isUnknown: Bool { number == -2 }
  }

  /// From a state by a byte of a class.
  @inline(__always)
  mutating func step(from state: Int32, by byteClass: UInt8) throws(GrammarError) -> Step {
    let known = Step(number: steps[Int(state) << rowShift + Int(byteClass)])
    return known.isUnknown ? try findAndKeepStep(from: state, by: byteClass) : known
  }

  private mutating func findAndKeepStep(
    from state: Int32, by byteClass: UInt8
  ) throws(GrammarError) -> Step {
    let found = try findStep(from: state, by: byteClass)
    steps[Int(state) << rowShift + Int(byteClass)] = found.number
    if byteCount > GrammarLimits.stateByteCountPeak {
      throw GrammarError(
        .limit,
        "going on takes more than \(GrammarLimits.stateByteCountPeak) bytes here: too much of the "
          + "grammar reads the same text; make its alternatives differ earlier")
    }
    return found
  }

  /// Keeps that the state to which a step leads reads no plain text as a whole.
  mutating func keepLook(from state: Int32, by byteClass: UInt8) {
    let place = Int(state) << rowShift + Int(byteClass)
    let step = Step(number: steps[place])
    steps[place] =
      Step(to: step.state, hasEmptyStack: step.hasEmptyStack, needsLook: false).number
  }

  /// On from a state that lay below something that has ended.
  mutating func resume(_ below: Int32) throws(GrammarError) -> Step {
    let known = Step(number: resumed[Int(below)])
    if !known.isUnknown { return known }
    closure.begin()
    try addFrames(of: below)
    let found = try close()
    resumed[Int(below)] = found.number
    return found
  }

  /// The class of each byte, and 256 more for those of a set.
  func codes(following bytes: ByteSet) -> [UInt16] {
    codes.indices.map { bytes.contains(UInt8($0)) ? codes[$0] | 0x100 : codes[$0] }
  }
}
