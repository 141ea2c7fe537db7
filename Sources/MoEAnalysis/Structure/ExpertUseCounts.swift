#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// How often each expert is used, and how uneven that is.
package struct ExpertUseCounts: Sendable, Equatable {
  package let layerCount: Int
  package let expertCount: Int
  /// (layer, expert)
  package let counts: [Int]
  package let tokenCount: Int

  package init(_ routing: RoutingSequences) {
    layerCount = routing.layerCount
    expertCount = routing.expertCount
    tokenCount = routing.tokenCount
    var counts = [Int](repeating: 0, count: routing.layerCount * routing.expertCount)
    for tokens in routing.sequences {
      for token in tokens {
        for layer in 0..<routing.layerCount {
          for expert in routing.selection(token: token, layer: layer) where expert >= 0 {
            counts[layer * routing.expertCount + Int(expert)] += 1
          }
        }
      }
    }
    self.counts = counts
  }

  /// (expert): uses in one layer.
  package func uses(layer: Int) -> ArraySlice<Int> {
    counts[layer * expertCount..<(layer + 1) * expertCount]
  }

  /// (expert): share of the layer's uses; all 0 where there are none.
  package func shares(layer: Int) -> [Double] {
    let uses = uses(layer: layer)
    let total = uses.reduce(0, +)
    return uses.map { total > 0 ? Double($0) / Double(total) : 0 }
  }

  /// The least number of a layer's experts that make up a share (0 to 1) of its uses.
  package func expertsCovering(_ share: Double, layer: Int) -> Int {
    let uses = uses(layer: layer).sorted(by: >)
    let wanted = share * Double(uses.reduce(0, +))
    var (covered, count) = (0, 0)
    while count < uses.count && Double(covered) < wanted {
      covered += uses[count]
      count += 1
    }
    return count
  }

  /// Bits needed to say which expert is used: log2 of the experts where all are used alike.
  package func entropyBits(layer: Int) -> Double {
    shares(layer: layer).reduce(0) { $1 > 0 ? $0 - $1 * log2($1) : $0 }
  }

  /// Entropy over that of even use, the mean over layers; 1 where there is but one expert.
  package var normalizedEntropy: Double {
    guard expertCount > 1 else { return 1 }
    let sum = (0..<layerCount).reduce(0) { $0 + entropyBits(layer: $1) }
    return sum / Double(layerCount) / log2(Double(expertCount))
  }

  /// The share of a token's experts that another token would use too if each chose by popularity
  /// alone: the sum of squared activation rates over experts per token. What overlap exceeds it is
  /// locality in time. 0 without tokens.
  package func independentOverlap(expertsPerToken: Int) -> Double {
    guard tokenCount > 0 else { return 0 }
    let squares = counts.reduce(0) { $0 + pow(Double($1) / Double(tokenCount), 2) }
    return squares / Double(layerCount * expertsPerToken)
  }
}
