/// How many of a layer's experts could be named before the layer is reached, from the trace alone.
package struct RecallReport: Sendable, Equatable, Encodable {
  package struct Line: Sendable, Equatable, Encodable {
    package var predictor: PredictionRecall.Predictor
    /// Layers from the one known to the one predicted.
    package var layerDistance: Int
    /// (number of experts named as in `counts`)
    package var recalls: [Double]
  }

  /// Experts that a predictor may name, ascending.
  package let counts: [Int]
  package let expertsPerToken: Int
  /// Without those of which nothing can be said: a model of one layer has none.
  package let lines: [Line]
  package let sampledTokens: Int

  init(_ routing: RoutingSequences) throws(RoutingAnalysisError) {
    let most = min(routing.expertCount, 6 * routing.expertsPerToken)
    let step = max(1, most / 24)
    let counts = Set(stride(from: step, through: most, by: step)).union([
      most, routing.expertsPerToken,
    ]).sorted()
    self.counts = counts
    expertsPerToken = routing.expertsPerToken
    sampledTokens = routing.tokenCount
    var lines: [Line] = []
    let kinds: [(PredictionRecall.Predictor, Int)] = [
      (.affinity, 1), (.affinity, 2), (.activationMatrix, 1), (.popularity, 1),
    ]
    for (predictor, distance) in kinds where distance < routing.layerCount {
      let recall = try PredictionRecall(
        routing, predictor: predictor, training: .causal, layerDistance: distance)
      let recalls = counts.compactMap { recall.recall($0) }
      guard recalls.count == counts.count else { continue }
      lines.append(Line(predictor: predictor, layerDistance: distance, recalls: recalls))
    }
    self.lines = lines
  }

  /// Recall with as many experts named as a token takes; nil where nothing can be said.
  package func recallAtExpertsPerToken(_ line: Line) -> Double? {
    counts.firstIndex(of: expertsPerToken).map { line.recalls[$0] }
  }
}
