/// How many tokens pass until an expert is used again in its layer, within a sequence.
package struct ReuseDistances: Sendable, Equatable {
  /// (distance - 1): reuses after so many tokens; 1 is the next token.
  package let counts: [Int]
  /// Uses of an expert for the first time in its sequence.
  package let firstUseCount: Int

  /// Of one layer, or of all of them together.
  package init(_ routing: RoutingSequences, layer: Int? = nil) {
    let layers = layer.map { $0..<$0 + 1 } ?? 0..<routing.layerCount
    let longest = routing.sequences.map(\.count).max() ?? 0
    var counts = [Int](repeating: 0, count: max(0, longest - 1))
    var firstUseCount = 0
    var last = [Int](repeating: -1, count: routing.expertCount)
    for layer in layers {
      for tokens in routing.sequences {
        for expert in last.indices { last[expert] = -1 }
        for token in tokens {
          for expert in routing.selection(token: token, layer: layer) where expert >= 0 {
            let before = last[Int(expert)]
            if before >= 0 { counts[token - before - 1] += 1 } else { firstUseCount += 1 }
            last[Int(expert)] = token
          }
        }
      }
    }
    self.counts = counts
    self.firstUseCount = firstUseCount
  }

  package var reuseCount: Int { counts.reduce(0, +) }

  /// Reuses within so many tokens over all uses; nil without uses.
  package func share(within distance: Int) -> Double? {
    let useCount = reuseCount + firstUseCount
    guard useCount > 0 else { return nil }
    return Double(counts.prefix(max(0, distance)).reduce(0, +)) / Double(useCount)
  }

  /// The distance within which half of all reuses fall; nil without any.
  package var median: Int? {
    let half = (reuseCount + 1) / 2
    guard half > 0 else { return nil }
    var sum = 0
    for (index, count) in counts.enumerated() {
      sum += count
      if sum >= half { return index + 1 }
    }
    return nil
  }

  /// Reuses after 1, 2, 3 to 4, 5 to 8 and so on tokens: `last` is the end of each range.
  package var doublingBuckets: [(last: Int, count: Int)] {
    var buckets: [(last: Int, count: Int)] = []
    var (first, last) = (1, 1)
    while first <= counts.count {
      buckets.append((last, counts[first - 1..<min(last, counts.count)].reduce(0, +)))
      (first, last) = (last + 1, last * 2)
    }
    return buckets
  }
}

extension RoutingSequences {
  /// The share of a token's experts that the token so many before it in its sequence used too, over
  /// all layers; nil where no sequence is long enough.
  package func overlap(lag: Int) -> Double? {
    guard lag > 0 else { return nil }
    var (shared, wanted) = (0, 0)
    for tokens in sequences where tokens.count > lag {
      for token in tokens.dropFirst(lag) {
        for layer in 0..<layerCount {
          let before = selection(token: token - lag, layer: layer)
          for expert in selection(token: token, layer: layer) where expert >= 0 {
            wanted += 1
            if before.contains(expert) { shared += 1 }
          }
        }
      }
    }
    return wanted > 0 ? Double(shared) / Double(wanted) : nil
  }
}
