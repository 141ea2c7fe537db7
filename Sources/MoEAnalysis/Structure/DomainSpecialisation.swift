/// How much experts keep to kinds of text: the coefficient of variation of their activation rates
/// over labels, as in "Not All Models Suit Expert Offloading" (arXiv 2505.16056) and its code.
package struct DomainSpecialisation: Sendable {
  package let labels: [String]
  package let layerCount: Int
  package let expertCount: Int
  /// (label, layer, expert): activations over tokens; nil for a label without a segment.
  package let rates: [[Double]?]
  /// (layer, expert): standard deviation of the rates (with n - 1) over their mean, among labels
  /// where the rate is above `rateMin`; nil where those are fewer than two.
  package let variations: [Double?]

  /// Rates of at most this are left out, as in the paper's code.
  package static let rateMin = 1e-5
  /// The paper takes rates in all overlapping segments of 16 tokens, in which tokens at the ends of
  /// a sequence count less than others.
  package static let paperSegmentLength = 16

  /// - Parameter segmentLength: 1 for plain rates; sequences shorter than it do not count.
  package init(
    _ routing: RoutingSequences, segmentLength: Int = DomainSpecialisation.paperSegmentLength
  ) throws(RoutingAnalysisError) {
    labels = routing.distinctLabels
    try RoutingAnalysisError.checkTable(
      [labels.count, routing.layerCount, routing.expertCount], of: "labels, layers and experts")
    layerCount = routing.layerCount
    expertCount = routing.expertCount
    let rates = labels.map {
      routing.labelled($0).activationRates(segmentLength: max(1, segmentLength))
    }
    self.rates = rates
    variations = (0..<routing.layerCount * routing.expertCount).map { index in
      coefficientOfVariation(rates.compactMap { $0?[index] }.filter { $0 > Self.rateMin })
    }
  }

  /// The mean over all experts that have one; nil where none has.
  package var meanVariation: Double? {
    let found = variations.compactMap(\.self)
    return found.isEmpty ? nil : found.reduce(0, +) / Double(found.count)
  }

  /// One layer's mean.
  package func meanVariation(layer: Int) -> Double? {
    let found = variations[layer * expertCount..<(layer + 1) * expertCount].compactMap(\.self)
    return found.isEmpty ? nil : found.reduce(0, +) / Double(found.count)
  }
}

extension RoutingSequences {
  /// (layer, expert): activations over tokens, where a token counts once for each segment that it
  /// lies in; nil where there is no segment.
  func activationRates(segmentLength: Int) -> [Double]? {
    var sums = [Int](repeating: 0, count: layerCount * expertCount)
    var total = 0
    for tokens in sequences where tokens.count >= segmentLength {
      let segmentCount = tokens.count - segmentLength + 1
      total += segmentCount * segmentLength
      for (index, token) in tokens.enumerated() {
        let weight = min(index + 1, tokens.count - index, segmentLength, segmentCount)
        for layer in 0..<layerCount {
          for expert in selection(token: token, layer: layer) where expert >= 0 {
            sums[layer * expertCount + Int(expert)] += weight
          }
        }
      }
    }
    return total > 0 ? sums.map { Double($0) / Double(total) } : nil
  }
}

/// Standard deviation with n - 1 over the mean; nil for fewer than two values or a mean of 0.
func coefficientOfVariation(_ values: [Double]) -> Double? {
  guard values.count > 1 else { return nil }
  let mean = values.reduce(0, +) / Double(values.count)
  guard mean != 0 else { return nil }
  let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
  return (squares / Double(values.count - 1)).squareRoot() / mean
}
