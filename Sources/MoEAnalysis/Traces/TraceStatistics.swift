#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// How cacheable a trace's routing is: hit rates of one cache for each layer, and how much of a
/// token's selection other tokens share.
///
/// Every cache is empty at first and lives through all sequences. A token asks for all its experts
/// of a layer at once; then those that are missing are loaded, and none of them drives out another.
/// Every request counts, also those of an empty cache.
package struct TraceStatistics: Sendable, Equatable {
  package struct Layer: Sendable, Equatable {
    /// One for each expert that a token takes.
    package var requestCount = 0
    /// Requests that found the expert resident, the least recently used being evicted.
    package var leastRecentHitCount = 0
    /// The same where what is used furthest in the future is evicted, which no policy beats
    /// (Belady 1966).
    package var optimalHitCount = 0
    /// Experts that the token before in the same sequence took, too; and out of how many.
    package var sharedCount = 0
    package var comparedCount = 0
    /// The share of a token's experts that it would share with the one before, were tokens drawn
    /// independently with the layer's popularity of experts.
    package var popularityReuse = 0.0
    /// Of the layer's popularity of experts, over that of an even one: 1 where all are used alike.
    package var entropy = 0.0
  }

  /// Slots of each layer's cache.
  package let capacity: Int
  /// Experts per token over experts: the reuse of an even and independent choice.
  package let evenReuse: Double
  package private(set) var layers: [Layer] = []

  /// - Parameter capacity: At least the experts of a token. Nil: twice as many.
  package init(_ trace: RoutingTrace, capacity: Int? = nil) {
    let capacity = capacity ?? 2 * trace.expertsPerToken
    precondition(capacity >= trace.expertsPerToken)
    self.capacity = capacity
    evenReuse = trace.meanExpertCount / Double(trace.expertCount)
    for layer in 0..<trace.layerCount {
      var figures = Layer()
      figures.requestCount = (0..<trace.tokenCount).reduce(0) {
        $0 + trace.selection(token: $1, layer: layer).count
      }
      figures.leastRecentHitCount = Self.leastRecentHits(trace, layer, capacity)
      figures.optimalHitCount = Self.optimalHits(trace, layer, capacity)
      let shared = Self.shared(trace, layer, lag: 1)
      (figures.sharedCount, figures.comparedCount) = (shared.count, shared.comparedCount)
      (figures.entropy, figures.popularityReuse) = Self.popularity(trace, layer)
      layers.append(figures)
    }
  }

  // Of all layers together.

  package var leastRecentHitRate: Double {
    Double(layers.reduce(0) { $0 + $1.leastRecentHitCount }) / Double(requestCount)
  }

  package var optimalHitRate: Double {
    Double(layers.reduce(0) { $0 + $1.optimalHitCount }) / Double(requestCount)
  }

  private var requestCount: Int { layers.reduce(0) { $0 + $1.requestCount } }

  /// Not a number where no sequence has two tokens.
  package var previousTokenReuse: Double {
    Double(layers.reduce(0) { $0 + $1.sharedCount })
      / Double(layers.reduce(0) { $0 + $1.comparedCount })
  }

  package var popularityReuse: Double {
    layers.reduce(0) { $0 + $1.popularityReuse } / Double(layers.count)
  }

  /// Not a number where there is but one expert.
  package var entropy: Double { layers.reduce(0) { $0 + $1.entropy } / Double(layers.count) }

  /// The share of a token's experts that the token `lag` places earlier in its sequence took, over
  /// all layers; not a number where no sequence is that long.
  package static func reuse(_ trace: RoutingTrace, lag: Int) -> Double {
    var (count, comparedCount) = (0, 0)
    for layer in 0..<trace.layerCount {
      let shared = shared(trace, layer, lag: lag)
      count += shared.count
      comparedCount += shared.comparedCount
    }
    return Double(count) / Double(comparedCount)
  }

  private static func shared(
    _ trace: RoutingTrace, _ layer: Int, lag: Int
  ) -> (count: Int, comparedCount: Int) {
    var (count, comparedCount) = (0, 0)
    for sequence in trace.sequences {
      for token in sequence.dropFirst(lag) {
        let earlier = trace.selection(token: token - lag, layer: layer)
        let selection = trace.selection(token: token, layer: layer)
        count += selection.count { earlier.contains($0) }
        comparedCount += selection.count
      }
    }
    return (count, comparedCount)
  }

  private static func popularity(
    _ trace: RoutingTrace, _ layer: Int
  ) -> (entropy: Double, reuse: Double) {
    var counts = Array(repeating: 0, count: trace.expertCount)
    for token in 0..<trace.tokenCount {
      for expert in trace.selection(token: token, layer: layer) { counts[Int(expert)] += 1 }
    }
    let requestCount = counts.reduce(0, +)
    var (bits, squares) = (0.0, 0.0)
    for count in counts where count > 0 {
      let share = Double(count) / Double(trace.tokenCount)
      let probability = Double(count) / Double(requestCount)
      bits -= probability * log2(probability)
      squares += share * share
    }
    return (
      bits / log2(Double(trace.expertCount)),
      squares * Double(trace.tokenCount) / Double(requestCount)
    )
  }

  // Caches.

  private static func leastRecentHits(
    _ trace: RoutingTrace, _ layer: Int, _ capacity: Int
  ) -> Int {
    var accessCount = 0
    return hits(trace, layer, capacity) { _, _ in
      accessCount += 1
      return -accessCount
    }
  }

  private static func optimalHits(_ trace: RoutingTrace, _ layer: Int, _ capacity: Int) -> Int {
    // (token, rank): the token that uses the expert next.
    var following = Array(repeating: 0, count: trace.tokenCount * trace.expertsPerToken)
    var upcoming = Array(repeating: Int.max, count: trace.expertCount)
    for token in (0..<trace.tokenCount).reversed() {
      let selection = trace.selection(token: token, layer: layer)
      for (rank, expert) in selection.enumerated() {
        following[token * trace.expertsPerToken + rank] = upcoming[Int(expert)]
        upcoming[Int(expert)] = token
      }
    }
    return hits(trace, layer, capacity) { following[$0 * trace.expertsPerToken + $1] }
  }

  /// Hits of a cache that evicts what has the largest key, and nothing that the token itself uses.
  ///
  /// - Parameter key: Of an expert from its use by a token at a rank on.
  private static func hits(
    _ trace: RoutingTrace, _ layer: Int, _ capacity: Int, key: (_ token: Int, _ rank: Int) -> Int
  ) -> Int {
    // (expert)
    var keys = Array(repeating: 0, count: trace.expertCount)
    var lastUses = Array(repeating: -1, count: trace.expertCount)
    var isResident = Array(repeating: false, count: trace.expertCount)
    var residents: [Int] = []
    residents.reserveCapacity(capacity + trace.expertsPerToken)
    var hitCount = 0
    for token in 0..<trace.tokenCount {
      for (rank, expert) in trace.selection(token: token, layer: layer).enumerated() {
        let expert = Int(expert)
        if isResident[expert] { hitCount += 1 } else { residents.append(expert) }
        isResident[expert] = true
        keys[expert] = key(token, rank)
        lastUses[expert] = token
      }
      while residents.count > capacity {
        var victim = -1
        for place in residents.indices where lastUses[residents[place]] != token {
          if victim < 0 || keys[residents[place]] > keys[residents[victim]] { victim = place }
        }
        isResident[residents[victim]] = false
        residents.swapAt(victim, residents.count - 1)
        residents.removeLast()
      }
    }
    return hitCount
  }
}
