/// Whether a set of nodes reads any character of plain text and is then where it was.
enum PlainLoop: Sendable {
  case none
  case unlimited
  /// It counts them; closed if no plain text can stand behind the last one.
  case counted(max: Int32, isClosed: Bool)
}

extension TokenJudge {
  /// How many characters of plain text a state reads, whichever they are; where nothing is known,
  /// 0.
  mutating func plainRun(of state: Int32) throws(GrammarError) -> Int32 {
    let known = table.facts[Int(state)].plainRun
    if known >= 0 { return known }
    var run: Int32 = 0
    for index in 0..<table.frameCount(state) {
      let frame = table.frame(index, of: state)
      switch try plainLoop(frame.nodeSet) {
      case .none: break
      case .unlimited: run = .max
      case .counted(let max, _): run = Swift.max(run, max - frame.count)
      }
    }
    table.facts[Int(state)].plainRun = run
    return run
  }

  /// How long the plain text is that a frame reads, whichever it is, if it reads no longer one; nil
  /// where nothing is known.
  mutating func plainLength(at frame: StateTable.Frame) throws(GrammarError) -> Int32? {
    switch try plainLoop(frame.nodeSet) {
    case .unlimited: .max
    case .counted(let max, isClosed: true): max - frame.count
    default: nil
    }
  }

  private mutating func plainLoop(_ nodeSet: Int32) throws(GrammarError) -> PlainLoop {
    if let known = plainLoops[nodeSet] { return known }
    let loop = try findLoop(nodeSet)
    plainLoops[nodeSet] = loop
    return loop
  }

  private mutating func findLoop(_ nodeSet: Int32) throws(GrammarError) -> PlainLoop {
    func frame(_ count: Int32) -> StateTable.Frame {
      StateTable.Frame(nodeSet: nodeSet, count: count, below: StateTable.ended)
    }
    let state = table.state(hasEmptyStack: false, [frame(0)])
    guard let step = try plainSuccessor(of: state) else { return .none }
    let next = (0..<table.frameCount(step.state)).map { table.frame($0, of: step.state) }
    if next.contains(frame(0)) { return .unlimited }
    let number = table.nodeSetFacts[Int(nodeSet)].loop
    guard number >= 0, next.contains(frame(1)) else { return .none }
    let max = table.graph.loops[Int(number)].max
    if max < 0 { return .unlimited }
    // What may follow the last count may also follow earlier ones.
    let last = try plainSuccessor(of: table.state(hasEmptyStack: false, [frame(max - 1)]))
    let isClosed = try last.map { step throws(GrammarError) in
      try !readsPlainText(step, following: table.nodeSetFacts[Int(nodeSet)].following)
    }
    return .counted(max: max, isClosed: isClosed ?? false)
  }

  /// Whether plain text can stand at a state, or behind what has ended there.
  private mutating func readsPlainText(
    _ step: StateTable.Step, following: ByteSet
  ) throws(GrammarError) -> Bool {
    if step.hasEmptyStack && !following.isDisjoint(with: Self.plainFirstBytes) { return true }
    for byte in UInt8.min...UInt8.max where Self.plainFirstBytes.contains(byte) {
      let byteClass = table.graph.classOfByte[Int(byte)]
      if try table.step(from: step.state, by: byteClass).leadsOn { return true }
    }
    return false
  }

  private static let plainFirstBytes = ByteSet(PlainText.ways.flatMap { $0[0] })

  /// Where any character of plain text leads; nil where not all lead to the same.
  private mutating func plainSuccessor(
    of state: Int32
  ) throws(GrammarError) -> StateTable.Step? {
    var result: StateTable.Step?
    for way in PlainText.ways {
      var steps = [StateTable.Step(to: state, hasEmptyStack: false)]
      for ranges in way {
        var next: [StateTable.Step] = []
        for step in steps {
          for range in ranges {
            let classes = table.graph.classOfByte
            for byteClass in classes[Int(range.lowerBound)]...classes[Int(range.upperBound)] {
              let found = try table.step(from: step.state, by: byteClass)
              guard found.leadsOn else { return nil }
              if !next.contains(where: { $0.number == found.number }) { next.append(found) }
            }
          }
        }
        guard next.count <= Self.branchCountMax else { return nil }
        steps = next
      }
      guard steps.count == 1, result == nil || result?.number == steps[0].number else {
        return nil
      }
      result = steps[0]
    }
    return result
  }

  /// More states than so many after a part of a character are no loop that is worth finding.
  private static let branchCountMax = 16
}
