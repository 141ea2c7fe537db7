import MoECache
import MoECore

/// How many of a layer's experts are among the n that a predictor names before the layer is
/// reached: recall@n of prediction, on traces alone.
///
/// The predictors are the engine's own. What the next layer's router says of the current hidden
/// state is a better one, but needs a running model.
package struct PredictionRecall: Sendable {
  /// Who predicts.
  package enum Predictor: String, Sendable, CaseIterable, Encodable {
    /// The token's experts some layers before, by the table of conditional probabilities.
    case affinity
    /// The use of experts in the past sequence that is nearest to this one.
    case activationMatrix
    /// The layer's most used experts, whatever the token: what a predictor has to beat.
    case popularity
  }

  /// On what it has learned. It is never judged on tokens that it has learned from.
  package enum Training: String, Sendable, CaseIterable, Encodable {
    /// All tokens before the one predicted, as a running engine could.
    case causal
    /// The first half of the trace's tokens; judged on the second.
    case splitHalves
  }

  package let predictor: Predictor
  package let training: Training
  package let layerDistance: Int
  package let expertCount: Int
  /// (layer predicted from, n): experts that were among the first n, from n = 0 on.
  package let foundCounts: [[Int]]
  /// (layer predicted from): experts to be found.
  package let wantedCounts: [Int]

  package init(
    _ routing: RoutingSequences, predictor: Predictor, training: Training, layerDistance: Int = 1
  ) throws(RoutingAnalysisError) {
    self.predictor = predictor
    self.training = training
    self.layerDistance = max(1, layerDistance)
    expertCount = routing.expertCount
    var method = try predictor.make(routing, layerDistance: max(1, layerDistance))
    var ranks = RankCounts(
      layerCount: max(0, routing.layerCount - self.layerDistance),
      expertCount: routing.expertCount)
    let half = routing.tokenCount / 2
    let sequence = SequenceID(rawValue: 0)
    var index = 0
    for tokens in routing.sequences {
      method.beginSequence(sequence)
      for token in tokens {
        method.isLearning = training == .causal || index < half
        for layer in 0..<routing.layerCount {
          let here = routing.selection(token: token, layer: layer)
          method.observe(layer: layer, experts: here.span)
          let later = layer + self.layerDistance
          guard training == .causal || index >= half, later < routing.layerCount else { continue }
          ranks.judge(
            layer: layer, wanted: routing.selection(token: token, layer: later)
          ) { method.score(layer: later, token: 0, into: &$0) }
        }
        index += 1
      }
      method.endSequence(sequence)
    }
    foundCounts = ranks.foundCounts
    wantedCounts = ranks.wantedCounts
  }

  /// Over all layers that can be predicted; nil where there are none.
  package func recall(_ count: Int) -> Double? {
    let wanted = wantedCounts.reduce(0, +)
    guard wanted > 0 else { return nil }
    let index = min(max(count, 0), expertCount)
    return Double(foundCounts.reduce(0) { $0 + $1[index] }) / Double(wanted)
  }

  /// Of the layer `layerDistance` after this one; nil where nothing is known of it.
  package func recall(_ count: Int, layer: Int) -> Double? {
    guard wantedCounts.indices.contains(layer), wantedCounts[layer] > 0 else { return nil }
    return Double(foundCounts[layer][min(max(count, 0), expertCount)]) / Double(wantedCounts[layer])
  }
}

extension PredictionRecall.Predictor {
  fileprivate func make(
    _ routing: RoutingSequences, layerDistance: Int
  ) throws(RoutingAnalysisError) -> any ExpertPredictor {
    let shape = PredictorShape(
      layerCount: routing.layerCount, expertCount: routing.expertCount,
      expertsPerToken: routing.expertsPerToken)
    switch self {
    case .affinity:
      try RoutingAnalysisError.checkTable(
        [max(0, routing.layerCount - layerDistance), routing.expertCount, routing.expertCount],
        of: "layers and pairs of experts")
      return AffinityPredictor(shape, distance: layerDistance)
    case .activationMatrix:
      try RoutingAnalysisError.checkTable(
        [routing.layerCount, routing.expertCount, ActivationMatrixPredictor.matrixCountMax],
        of: "layers, experts and matrices")
      return ActivationMatrixPredictor(shape)
    case .popularity: return PopularityPredictor(shape)
    }
  }
}

/// Counts uses, whatever the token.
private struct PopularityPredictor: ExpertPredictor {
  var isLearning = true
  private let expertCount: Int
  /// (layer, expert)
  private var useCounts: [Int]

  init(_ shape: PredictorShape) {
    expertCount = shape.expertCount
    useCounts = Array(repeating: 0, count: shape.layerCount * shape.expertCount)
  }

  mutating func observe(layer: Int, experts: Span<Int32>) {
    guard isLearning else { return }
    for index in 0..<experts.count where experts[index] >= 0 {
      useCounts[layer * expertCount + Int(experts[index])] += 1
    }
  }

  func score(layer: Int, token: Int, into scores: inout [Float]) {
    for expert in scores.indices { scores[expert] = Float(useCounts[layer * expertCount + expert]) }
  }
}

private struct RankCounts {
  private let expertCount: Int
  /// (layer, rank): experts found at that place of the prediction.
  private var counts: [[Int]]
  private var scores: [Float]

  init(layerCount: Int, expertCount: Int) {
    self.expertCount = expertCount
    counts = Array(repeating: Array(repeating: 0, count: expertCount), count: layerCount)
    scores = Array(repeating: 0, count: expertCount)
  }

  mutating func judge(
    layer: Int, wanted: ArraySlice<Int32>, _ score: (inout [Float]) -> Void
  ) {
    score(&scores)
    for expert in wanted where expert >= 0 { counts[layer][rank(of: Int(expert))] += 1 }
  }

  /// Among even scores the lower number comes first.
  private func rank(of expert: Int) -> Int {
    let score = scores[expert]
    var rank = 0
    for other in 0..<expert where scores[other] >= score { rank += 1 }
    for other in expert + 1..<max(expert + 1, expertCount) where scores[other] > score { rank += 1 }
    return rank
  }

  /// (layer, n)
  var foundCounts: [[Int]] {
    counts.map { $0.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) } }
  }

  var wantedCounts: [Int] { counts.map { $0.reduce(0, +) } }
}
