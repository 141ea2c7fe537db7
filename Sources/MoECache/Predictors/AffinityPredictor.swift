/// Prediction by inter-layer affinity: an expert is the likelier, the more often tokens took it
/// that had taken the same experts in the layer before (ExFlow, arXiv 2401.08383).
///
/// An expert's score is the sum of P(it in the later layer | i in the earlier one) over the token's
/// experts i. The table is learnt while running. When an expert has been used often its row is
/// halved, so that old tokens count less and the counts need two bytes. Only what one token took
/// counts, so it is all the same whose tokens a step has.
package struct AffinityPredictor: ExpertPredictor {
  /// Uses of an expert at which its row is halved.
  package static let useCountMax = 512

  package var isLearning = true
  private let shape: PredictorShape
  /// Layers with experts from those that are known to those that are predicted.
  private let distance: Int
  /// (layer): its place among the layers with experts; -1 where it has none.
  private let places: [Int]
  /// (place): its layer's first row, for experts of the layer `distance` earlier, and its first
  /// pair.
  private let rowStarts: [Int]
  private let pairStarts: [Int]
  /// (place, i, j): tokens that took i in the earlier layer and j in this one.
  private var pairCounts: [UInt16]
  /// (place, i): tokens that took i in the earlier layer and then went through this one.
  private var useCounts: [UInt16]
  /// (place modulo distance, token, rank): what the step took in the last layers.
  private var held: [Int32]
  /// (place modulo distance): which place that is, and of how many tokens.
  private var heldSteps: [(place: Int, tokenCount: Int)]

  package init(_ shape: PredictorShape, distance: Int = 1) {
    precondition(distance > 0)
    self.shape = shape
    self.distance = distance
    var places = Array(repeating: -1, count: shape.layerCount)
    for (place, layer) in shape.expertLayers.enumerated() { places[layer] = place }
    self.places = places
    let starts = Self.starts(shape, distance: distance)
    (rowStarts, pairStarts) = (starts.rows, starts.pairs)
    pairCounts = Array(repeating: 0, count: starts.pairCount)
    useCounts = Array(repeating: 0, count: starts.rowCount)
    held = Array(repeating: -1, count: distance * shape.tokenCountMax * shape.expertsPerToken)
    heldSteps = Array(repeating: (-1, 0), count: distance)
  }

  private static func starts(
    _ shape: PredictorShape, distance: Int
  ) -> (rows: [Int], pairs: [Int], rowCount: Int, pairCount: Int) {
    var (rows, pairs): ([Int], [Int]) = ([], [])
    var (rowCount, pairCount) = (0, 0)
    for (place, layer) in shape.expertLayers.enumerated() {
      rows.append(rowCount)
      pairs.append(pairCount)
      guard place >= distance else { continue }
      let earlier = shape.layers[shape.expertLayers[place - distance]].expertCount
      rowCount += earlier
      pairCount += earlier * shape.layers[layer].expertCount
    }
    return (rows, pairs, rowCount, pairCount)
  }

  /// What a predictor one layer ahead takes.
  package static func byteCount(_ shape: PredictorShape) -> Int {
    let starts = starts(shape, distance: 1)
    return 2 * (starts.pairCount + starts.rowCount)
      + 4 * shape.tokenCountMax * shape.expertsPerToken
  }

  package mutating func observe(layer: Int, experts: Span<Int32>) {
    let width = shape.layers[layer].expertsPerToken
    let place = places[layer]
    let tokenCount = min(experts.count / width, shape.tokenCountMax)
    let slot = place % distance
    let start = slot * shape.tokenCountMax * shape.expertsPerToken
    if isLearning && place >= distance && heldSteps[slot] == (place - distance, tokenCount) {
      for token in 0..<tokenCount {
        learn(place, held: start + token * shape.expertsPerToken, experts, at: token * width)
      }
    }
    for token in 0..<tokenCount {
      for rank in 0..<shape.expertsPerToken {
        held[start + token * shape.expertsPerToken + rank] =
          rank < width ? experts[token * width + rank] : -1
      }
    }
    heldSteps[slot] = (place, tokenCount)
  }

  /// Counts one token: those of `held` from one place on, and what followed.
  private mutating func learn(
    _ place: Int, held start: Int, _ experts: Span<Int32>, at first: Int
  ) {
    let layer = shape.layers[shape.expertLayers[place]]
    for index in start..<start + shape.expertsPerToken where held[index] >= 0 {
      let row = rowStarts[place] + Int(held[index])
      let pairs = pairStarts[place] + Int(held[index]) * layer.expertCount
      for index in first..<first + layer.expertsPerToken where experts[index] >= 0 {
        pairCounts[pairs + Int(experts[index])] += 1
      }
      useCounts[row] += 1
      if useCounts[row] >= UInt16(Self.useCountMax) {
        useCounts[row] /= 2
        for index in pairs..<pairs + layer.expertCount { pairCounts[index] /= 2 }
      }
    }
  }

  package func score(layer: Int, token: Int, into scores: inout [Float]) {
    for expert in scores.indices { scores[expert] = 0 }
    guard layer < places.count, places[layer] >= distance else { return }
    let place = places[layer]
    let slot = place % distance
    guard heldSteps[slot].place == place - distance, token < heldSteps[slot].tokenCount else {
      return
    }
    let expertCount = shape.layers[layer].expertCount
    let start = (slot * shape.tokenCountMax + token) * shape.expertsPerToken
    for index in start..<start + shape.expertsPerToken where held[index] >= 0 {
      let uses = useCounts[rowStarts[place] + Int(held[index])]
      guard uses > 0 else { continue }
      let scale = 1 / Float(uses)
      let pairs = pairStarts[place] + Int(held[index]) * expertCount
      for expert in 0..<min(expertCount, scores.count) {
        scores[expert] += scale * Float(pairCounts[pairs + expert])
      }
    }
  }
}
