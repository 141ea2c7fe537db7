/// Depths of rules that evict the resident of least priority, by Mattson's stack (1970): the pool
/// of C slots holds the first C entries of one list.
///
/// A used expert goes to the top. What was there sinks: at each depth the one of less priority goes
/// on down and the other stays, until the place that the used expert left is filled.
///
/// An entry is one word, priority above and expert below, so that sinking is a comparison of words:
/// bit 63 protects from eviction, 47 bits are the rule's, the lowest 16 the expert.
struct PriorityStack {
  /// How the rule's 47 bits are divided: a count above, the moment of the last use below.
  struct Key {
    let clockBits: Int
    var clockMax: Int { 1 << clockBits - 1 }
    var countMax: UInt64 { 1 << (47 - UInt64(clockBits)) - 1 }
    /// One more use, in an entry.
    var unit: UInt64 { 1 << (16 + UInt64(clockBits)) }
  }

  static let segmentKey = Key(clockBits: 32)
  static let frequencyKey = Key(clockBits: 25)
  private let stream: RequestStream
  private let rule: StackRule
  private let protection: ReplayConventions.Protection
  private var depths: StackDepths
  private var entries: EntryList
  /// (expert): the rule's count, uses so far or in the window.
  private var counts: [UInt64]
  /// (request): the next one for the same expert, where the rule looks at it.
  private let following: [Int32]
  private var clock: UInt64 = 0

  static func depths(
    _ stream: RequestStream, rule: StackRule, continuity: ReplayConventions.Continuity,
    protection: ReplayConventions.Protection
  ) -> StackDepths {
    var stack = PriorityStack(stream, rule: rule, continuity: continuity, protection: protection)
    for (sequence, tokens) in stream.sequences.enumerated() {
      if continuity == .restarted { stack.clear() }
      stack.replay(tokens, sequence: sequence)
    }
    return stack.depths
  }

  private init(
    _ stream: RequestStream, rule: StackRule, continuity: ReplayConventions.Continuity,
    protection: ReplayConventions.Protection
  ) {
    self.stream = stream
    self.rule = rule
    self.protection = protection
    depths = StackDepths(expertCount: stream.expertCount, sequenceCount: stream.sequences.count)
    entries = EntryList(expertCount: stream.expertCount)
    counts = Array(repeating: 0, count: stream.expertCount)
    following = rule == .belady ? Self.following(stream, continuity: continuity) : []
  }

  private mutating func clear() {
    entries.clear()
    for index in counts.indices { counts[index] = 0 }
    clock = 0
  }

  private mutating func replay(_ tokens: Range<Int>, sequence: Int) {
    var length = 0
    if case .segment(let window) = rule {
      length = window
      for token in tokens.prefix(length) {
        for request in stream.requests(ofToken: token) { counts[Int(stream.experts[request])] += 1 }
      }
      // Entries that stayed from the sequence before were counted down to none.
      entries.reprice(counts, unit: Self.segmentKey.unit)
    }
    for token in tokens {
      for step in stream.steps(ofToken: token) {
        let requests = stream.requests(ofStep: step)
        lookUp(requests, sequence: sequence)
        for request in requests {
          entries.use(newEntry(request, UInt64(stream.experts[request])))
        }
        if protection == .step { entries.unprotect(requests.count) }
      }
      if length > 0 && length < tokens.upperBound - token {
        enter(stream.requests(ofToken: token + length))
      }
    }
  }

  /// Counts what hits, before anything of the step moves.
  private mutating func lookUp(_ requests: Range<Int>, sequence: Int) {
    var newCount = 0
    for request in requests {
      let index = entries.index(of: Int(stream.experts[request]))
      if index < 0 {
        newCount += 1
        depths.countCold(depth: entries.count + newCount, sequence: sequence)
      } else {
        depths.countWarm(depth: index + 1, sequence: sequence)
        if protection != .none { entries.protect(index) }
      }
    }
  }

  /// The entry of an expert that has just run.
  private mutating func newEntry(_ request: Int, _ expert: UInt64) -> UInt64 {
    let guarded = protection == .step ? EntryList.protected : 0
    switch rule {
    case .lru:
      clock += 1
      return guarded | clock << 16 | expert
    case .lfu:
      counts[Int(expert)] = min(counts[Int(expert)] + 1, Self.frequencyKey.countMax)
      clock += 1
      return guarded | counts[Int(expert)] * Self.frequencyKey.unit | clock << 16 | expert
    case .belady:
      // The later the less worth.
      return guarded | UInt64(Int32.max - following[request]) << 16 | expert
    case .segment:
      counts[Int(expert)] -= 1
      clock += 1
      return guarded | counts[Int(expert)] * Self.segmentKey.unit | clock << 16 | expert
    }
  }

  /// Counts a token that comes into the window.
  private mutating func enter(_ requests: Range<Int>) {
    for request in requests {
      let expert = Int(stream.experts[request])
      counts[expert] += 1
      entries.raise(expert, by: Self.segmentKey.unit)
    }
  }

  /// (request): the next request for the same expert; never: the largest number.
  private static func following(
    _ stream: RequestStream, continuity: ReplayConventions.Continuity
  ) -> [Int32] {
    var following = [Int32](repeating: .max, count: stream.experts.count)
    var upcoming = [Int32](repeating: .max, count: stream.expertCount)
    for tokens in stream.sequences.reversed() {
      if continuity == .restarted {
        for index in upcoming.indices { upcoming[index] = .max }
      }
      guard let last = tokens.last else { continue }
      let first = stream.requests(ofToken: tokens.lowerBound).lowerBound
      for request in (first..<stream.requests(ofToken: last).upperBound).reversed() {
        let expert = Int(stream.experts[request])
        following[request] = upcoming[expert]
        upcoming[expert] = Int32(request)
      }
    }
    return following
  }
}
