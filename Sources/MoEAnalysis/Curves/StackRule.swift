/// A rule of eviction for which a pool with more slots always holds what one with fewer does. One
/// pass over a trace then finds its hits for every number of slots (Mattson et al. 1970).
package enum StackRule: Sendable, Equatable {
  /// Least recently used.
  case lru
  /// Least often used since the start, then least recently. Counts are kept of experts that lost
  /// their slot.
  case lfu
  /// Used furthest in the future: the optimum, if every expert must be given a slot to run.
  case belady
  /// Least used in the next tokens, then least recently: segment cache best hit rate (SCH) of arXiv
  /// 2505.16056 from version 3 on. At the time of an eviction these are the experts of the current
  /// token that have not run, and the tokens after it, together so many.
  case segment(length: Int)

  package var name: String {
    switch self {
    case .lru: "lru"
    case .lfu: "lfu"
    case .belady: "belady"
    case .segment(let length): "segment-\(length)"
    }
  }
}

extension HitCurves {
  /// Replays a rule for all numbers of slots at once.
  ///
  /// With fewer slots than the experts that are looked up together a pool cannot hold them all;
  /// what it hits then are those that were in it before.
  package init(
    _ routing: RoutingSequences, rule: StackRule, conventions: ReplayConventions
  ) throws(RoutingAnalysisError) {
    let scopes =
      conventions.scope == .layer
      ? (0..<routing.layerCount).map { $0..<$0 + 1 } : [0..<routing.layerCount]
    try Self.check(routing, rule: rule, conventions: conventions)
    let initial = (
      parts: [HitCurve](repeating: .empty, count: scopes.count),
      sequences: [HitCurve](repeating: .empty, count: routing.sequences.count)
    )
    let (parts, sequences) = concurrently(scopes.count, into: initial) { part in
      let stream = RequestStream(
        routing, layers: scopes[part], lookUp: conventions.lookUp, order: conventions.order)
      return rule == .lru
        ? RecencyStack.depths(stream, continuity: conventions.continuity)
        : PriorityStack.depths(
          stream, rule: rule, continuity: conventions.continuity,
          protection: conventions.protection)
    } combine: { curves, part, depths in
      curves.parts[part] = depths.total
      for index in curves.sequences.indices {
        curves.sequences[index] = curves.sequences[index] + depths.curve(index)
      }
    }
    self.init(
      conventions: conventions, parts: parts, sequences: sequences,
      slotsPerToken: routing.expertsPerToken * (scopes[0].count))
  }

  /// Experts that may share one pool: entries of a stack have 16 bits for them.
  package static let poolExpertCountMax = 1 << 16

  /// Hits are kept by sequence and number of slots.
  static func checkTable(
    _ routing: RoutingSequences, expertCount: Int
  ) throws(RoutingAnalysisError) {
    try RoutingAnalysisError.checkTable(
      [routing.sequences.count, expertCount], of: "sequences and numbers of slots")
  }

  /// What fits the words that stacks are made of.
  private static func check(
    _ routing: RoutingSequences, rule: StackRule, conventions: ReplayConventions
  ) throws(RoutingAnalysisError) {
    let layers = conventions.scope == .pool ? routing.layerCount : 1
    let (expertCount, overflow) = layers.multipliedReportingOverflow(by: routing.expertCount)
    guard !overflow, expertCount <= poolExpertCountMax else {
      throw RoutingAnalysisError(
        "a pool of \(layers) layers with \(routing.expertCount) experts cannot be replayed: at "
          + "most \(poolExpertCountMax) experts share one pool")
    }
    try Self.checkTable(routing, expertCount: expertCount)
    let requestCount = routing.experts.count / routing.layerCount * layers
    if case .segment(let length) = rule {
      guard (1...Int(PriorityStack.segmentKey.countMax)).contains(length) else {
        throw RoutingAnalysisError(
          "a look-ahead of \(length) tokens cannot be replayed: give 1 to "
            + "\(PriorityStack.segmentKey.countMax)")
      }
    }
    guard rule != .lfu || requestCount <= PriorityStack.frequencyKey.clockMax else {
      throw RoutingAnalysisError(
        "\(requestCount) requests are too many to count uses of: give a trace of at most "
          + "\(PriorityStack.frequencyKey.clockMax)")
    }
  }
}

/// From how many slots on requests hit, counted by sequence.
struct StackDepths: Sendable {
  let expertCount: Int
  /// (sequence, slots - 1)
  private var warm: [Int32]
  private var cold: [Int32]
  private var requestCounts: [Int]

  init(expertCount: Int, sequenceCount: Int) {
    self.expertCount = expertCount
    warm = Array(repeating: 0, count: expertCount * sequenceCount)
    cold = warm
    requestCounts = Array(repeating: 0, count: sequenceCount)
  }

  /// A request that hits from `depth` slots on, 1 or more.
  mutating func countWarm(depth: Int, sequence: Int) {
    warm[sequence * expertCount + depth - 1] += 1
    requestCounts[sequence] += 1
  }

  /// A first use, with `depth` - 1 different experts before it.
  mutating func countCold(depth: Int, sequence: Int) {
    cold[sequence * expertCount + depth - 1] += 1
    requestCounts[sequence] += 1
  }

  func curve(_ sequence: Int) -> HitCurve {
    let range = sequence * expertCount..<(sequence + 1) * expertCount
    return HitCurve(
      warm: warm[range].map(Int.init), cold: cold[range].map(Int.init),
      requestCount: requestCounts[sequence])
  }

  var total: HitCurve {
    var (warmSum, coldSum) = ([Int](repeating: 0, count: expertCount), [Int]())
    coldSum = warmSum
    for index in warm.indices {
      warmSum[index % expertCount] += Int(warm[index])
      coldSum[index % expertCount] += Int(cold[index])
    }
    return HitCurve(
      warm: warmSum, cold: coldSum, requestCount: requestCounts.reduce(0, +))
  }
}
