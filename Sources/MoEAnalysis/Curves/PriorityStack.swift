/// Depths of rules that evict the resident of least priority, by Mattson's stack (1970): the pool of
/// C slots holds the first C entries of one list.
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
  /// (expert): the step or token that asked for it last, where searches look for all of them.
  private var wanted: [Int32]
  private var search: Int32 = 0
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
    entries = EntryList(capacity: stream.expertCount)
    counts = Array(repeating: 0, count: stream.expertCount)
    wanted = Array(repeating: -1, count: stream.expertCount)
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
          let expert = UInt64(stream.experts[request])
          entries.use(newEntry(request, expert), of: expert)
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
    search += 1
    for request in requests { wanted[Int(stream.experts[request])] = search }
    let newCount = entries.lookUp(
      wanted, search, count: requests.count, protects: protection != .none, sequence: sequence,
      into: &depths)
    for new in 0..<newCount {
      depths.countCold(depth: entries.count + new + 1, sequence: sequence)
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
    search += 1
    for request in requests {
      let expert = Int(stream.experts[request])
      counts[expert] += 1
      wanted[expert] = search
    }
    entries.raise(wanted, search, count: requests.count, by: Self.segmentKey.unit)
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

/// The list of a `PriorityStack`, top first.
struct EntryList {
  static let protected: UInt64 = 1 << 63
  private static let expertMask: UInt64 = 0xFFFF

  private var entries: [UInt64] = []

  init(capacity: Int) { entries.reserveCapacity(capacity) }

  var count: Int { entries.count }

  mutating func clear() { entries.removeAll(keepingCapacity: true) }

  /// Counts the depths of `count` experts whose `wanted` is `search`; returns how many are not here.
  mutating func lookUp(
    _ wanted: [Int32], _ search: Int32, count: Int, protects: Bool, sequence: Int,
    into depths: inout StackDepths
  ) -> Int {
    var remaining = count
    var span = entries.mutableSpan
    var depth = 0
    while depth < span.count && remaining > 0 {
      if wanted[Int(span[depth] & Self.expertMask)] == search {
        remaining -= 1
        depths.countWarm(depth: depth + 1, sequence: sequence)
        if protects { span[depth] |= Self.protected }
      }
      depth += 1
    }
    return remaining
  }

  /// Puts an expert on top with a new entry.
  mutating func use(_ entry: UInt64, of expert: UInt64) {
    var carried = entry
    var span = entries.mutableSpan
    let count = span.count
    if count > 0 {
      carried = span[0]
      span[0] = entry
      if carried & Self.expertMask == expert { return }
      var depth = 1
      while depth < count {
        let other = span[depth]
        if other & Self.expertMask == expert {
          span[depth] = carried
          return
        }
        span[depth] = max(other, carried)
        carried = min(other, carried)
        depth += 1
      }
    }
    entries.append(carried)
  }

  /// All that a step protects is on top when it ends, whatever else there is.
  mutating func unprotect(_ count: Int) {
    for depth in 0..<min(count, entries.count) { entries[depth] &= ~Self.protected }
  }

  /// Adds to the entries of `count` experts whose `wanted` is `search`, as far as they are here.
  mutating func raise(_ wanted: [Int32], _ search: Int32, count: Int, by unit: UInt64) {
    var remaining = count
    var span = entries.mutableSpan
    var depth = 0
    while depth < span.count && remaining > 0 {
      if wanted[Int(span[depth] & Self.expertMask)] == search {
        span[depth] += unit
        remaining -= 1
      }
      depth += 1
    }
  }

  /// Writes all counts of a new window into the entries.
  mutating func reprice(_ counts: [UInt64], unit: UInt64) {
    for depth in entries.indices {
      let entry = entries[depth]
      entries[depth] = entry & (unit - 1) | counts[Int(entry & Self.expertMask)] * unit
    }
  }
}
