private import MoECore

/// What texts of a compiled grammar share: the judge, whole masks, and the bounds of memory.
struct GrammarMachine: Sendable {
  private var judge: TokenJudge
  private var masks: RecentCache<Int32, TokenMask>
  private var portables: RecentCache<Int32, PortableState>
  /// Counts how often states were forgotten.
  private var era: UInt64 = 0

  /// Where a text is: a state's number, which holds for an era, and the state itself.
  struct Place: Sendable {
    fileprivate var era: UInt64
    fileprivate var state: Int32
    fileprivate var portable: PortableState
    fileprivate(set) var isComplete: Bool
  }

  init(_ graph: NodeGraph, _ vocabulary: GrammarVocabulary) {
    judge = TokenJudge(graph, vocabulary)
    masks = RecentCache(byteCountMax: GrammarLimits.maskByteCountMax) { $0.byteCount }
    portables = RecentCache(byteCountMax: GrammarLimits.portableByteCountMax) {
      4 * $0.numbers.count
    }
  }

  var byteCount: Int { judge.byteCount + masks.byteCount + portables.byteCount }

  mutating func start() throws(GrammarError) -> Place {
    judge.table.stepsLeft = GrammarLimits.stepCountMax
    return place(try judge.table.start())
  }

  private mutating func place(_ step: StateTable.Step) -> Place {
    let portable: PortableState
    if let known = portables.value(step.state) {
      portable = known
    } else {
      portable = judge.table.portable(step.state)
      portables.insert(portable, for: step.state)
    }
    return Place(
      era: era, state: step.state, portable: portable, isComplete: step.hasEmptyStack)
  }

  /// Prepares for a call, and finds the place's state.
  private mutating func begin(_ place: Place) -> Int32 {
    judge.table.stepsLeft = GrammarLimits.stepCountMax
    return place.era == era ? place.state : judge.table.state(of: place.portable)
  }

  /// Forgets states where they have become too many, at the end of each call.
  private mutating func end() {
    if judge.stateByteCount <= GrammarLimits.stateByteCountMax { return }
    era += 1
    masks.removeAll()
    portables.removeAll()
    judge.forgetStates()
  }

  /// The tokens that may come next; none where the vocabulary has no way on.
  mutating func mask(at place: Place) throws(GrammarError) -> TokenMask {
    let state = begin(place)
    defer { end() }
    if let known = masks.value(state) { return known }
    let mask = try judge.mask(of: state)
    masks.insert(mask, for: state)
    return mask
  }

  /// Where bytes lead; nil where the grammar doesn't allow them.
  mutating func place(
    after bytes: some Sequence<UInt8>, at place: Place
  ) throws(GrammarError) -> Place? {
    var step = StateTable.Step(to: begin(place), hasEmptyStack: place.isComplete)
    defer { end() }
    for byte in bytes {
      step = try judge.table.step(
        from: step.state, by: judge.table.graph.classOfByte[Int(byte)])
      guard step.leadsOn else { return nil }
    }
    return self.place(step)
  }

  /// What the grammar could read next, for a message.
  mutating func wanted(at place: Place) throws(GrammarError) -> String {
    let state = begin(place)
    defer { end() }
    var names: [String] = []
    var byte = 0
    let classes = judge.table.graph.classOfByte
    while byte < 256 {
      var end = byte
      while end < 255 && classes[end + 1] == classes[byte] { end += 1 }
      if try judge.table.step(from: state, by: classes[byte]).leadsOn {
        let (first, last) = (Self.name(UInt8(byte)), Self.name(UInt8(end)))
        names.append(byte == end ? first : "\(first) to \(last)")
      }
      byte = end + 1
    }
    if place.isComplete { names.append("the end") }
    return names.isEmpty
      ? "nothing that nests less than \(judge.table.graph.depthMax) deep"
      : names.prefix(12).joined(separator: ", ") + (names.count > 12 ? ", …" : "")
  }

  private static func name(_ byte: UInt8) -> String {
    (0x20..<0x7F).contains(byte)
      ? String(Unicode.Scalar(byte)).quotedForMessage : "byte \(byte)"
  }
}
