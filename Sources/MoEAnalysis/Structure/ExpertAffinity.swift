/// Inter-layer expert affinity: how probable it is that a token takes expert j in a later layer
/// once it has taken expert i in this one (ExFlow, arXiv 2401.08383).
///
/// With several experts per token every pair of one here and one there counts.
package struct ExpertAffinity: Sendable, Equatable {
  package let layerCount: Int
  package let expertCount: Int
  /// Layers from the first of a pair to the second.
  package let layerDistance: Int
  /// (layer, i, j): tokens that take i in the layer and j in the one `layerDistance` later.
  package private(set) var pairCounts: [Int32]
  /// (layer, i): tokens that take i in the layer.
  package private(set) var useCounts: [Int32]

  /// A table without a token yet.
  package init(
    layerCount: Int, expertCount: Int, layerDistance: Int = 1
  ) throws(RoutingAnalysisError) {
    precondition(layerCount > 0 && expertCount > 0 && layerDistance > 0)
    try RoutingAnalysisError.checkTable(
      [max(0, layerCount - layerDistance), expertCount, expertCount],
      of: "layers and pairs of experts")
    self.layerCount = layerCount
    self.expertCount = expertCount
    self.layerDistance = layerDistance
    let pairs = max(0, layerCount - layerDistance)
    pairCounts = Array(repeating: 0, count: pairs * expertCount * expertCount)
    useCounts = Array(repeating: 0, count: layerCount * expertCount)
  }

  package init(
    _ routing: RoutingSequences, layerDistance: Int = 1
  ) throws(RoutingAnalysisError) {
    try self.init(
      layerCount: routing.layerCount, expertCount: routing.expertCount,
      layerDistance: max(1, layerDistance))
    for tokens in routing.sequences {
      for token in tokens { learn(routing, token: token) }
    }
  }

  /// Pairs of layers: the first of each is numbered from 0.
  package var layerPairCount: Int { max(0, layerCount - layerDistance) }

  /// Counts one token.
  package mutating func learn(_ routing: RoutingSequences, token: Int) {
    for layer in 0..<layerCount {
      let here = routing.selection(token: token, layer: layer)
      for first in here where first >= 0 {
        useCounts[layer * expertCount + Int(first)] &+= 1
      }
      guard layer < layerPairCount else { continue }
      let there = routing.selection(token: token, layer: layer + layerDistance)
      for first in here where first >= 0 {
        let row = (layer * expertCount + Int(first)) * expertCount
        for second in there where second >= 0 { pairCounts[row + Int(second)] &+= 1 }
      }
    }
  }

  /// Tokens that take `first` in the layer and `second` in the later one.
  package func count(layer: Int, from first: Int, to second: Int) -> Int {
    Int(pairCounts[(layer * expertCount + first) * expertCount + second])
  }

  /// P(second, later layer | first, layer); nil where no token took the first.
  package func probability(layer: Int, from first: Int, to second: Int) -> Double? {
    let uses = useCounts[layer * expertCount + first]
    guard uses > 0 else { return nil }
    return Double(count(layer: layer, from: first, to: second)) / Double(uses)
  }
}
