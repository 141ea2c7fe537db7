/// Look-ahead by inter-layer affinity: an expert is the likelier, the more often tokens took it
/// that had taken the same experts in the layer before (ExFlow, arXiv 2401.08383).
///
/// An expert's score is the sum of P(it in the later layer | i in the earlier one) over the token's
/// experts i. The table is learnt while running. When an expert has been used often its row is
/// halved, so that old tokens count less and the counts need two bytes.
package struct AffinityPredictor: LookAheadPredictor {
  /// Uses of an expert at which its row is halved.
  package static let useCountMax = 512

  package var isLearning = true
  private let shape: LookAheadShape
  /// Layers from the experts that are known to those that are predicted.
  private let distance: Int
  /// (layer, i, j): tokens that took i in the layer and j in the one `distance` later.
  private var pairCounts: [UInt16]
  /// (layer, i): tokens that took i in the layer and then went through the later one.
  private var useCounts: [UInt16]
  /// (layer modulo distance, token, rank): what the step took in the last layers.
  private var held: [Int32]
  /// (layer modulo distance): which layer that is, and of how many tokens.
  private var heldSteps: [(layer: Int, tokenCount: Int)]

  package init(_ shape: LookAheadShape, distance: Int = 1) {
    precondition(distance > 0)
    self.shape = shape
    self.distance = distance
    let rows = max(0, shape.layerCount - distance) * shape.expertCount
    pairCounts = Array(repeating: 0, count: rows * shape.expertCount)
    useCounts = Array(repeating: 0, count: rows)
    held = Array(repeating: -1, count: distance * shape.tokenCountMax * shape.expertsPerToken)
    heldSteps = Array(repeating: (-1, 0), count: distance)
  }

  /// What a predictor one layer ahead takes.
  package static func byteCount(_ shape: LookAheadShape) -> Int {
    let rows = max(0, shape.layerCount - 1) * shape.expertCount
    return 2 * rows * (shape.expertCount + 1) + 4 * shape.tokenCountMax * shape.expertsPerToken
  }

  package mutating func beginSequence() {}

  package mutating func observe(layer: Int, experts: Span<Int32>) {
    let width = shape.expertsPerToken
    let tokenCount = min(experts.count / width, shape.tokenCountMax)
    let slot = layer % distance
    let start = slot * shape.tokenCountMax * width
    if isLearning && layer >= distance && heldSteps[slot] == (layer - distance, tokenCount) {
      for token in 0..<tokenCount {
        learn(from: layer - distance, held: start + token * width, experts, at: token * width)
      }
    }
    for index in 0..<tokenCount * width { held[start + index] = experts[index] }
    heldSteps[slot] = (layer, tokenCount)
  }

  /// Counts one token: those of `held` from one place on, and what followed.
  private mutating func learn(
    from layer: Int, held start: Int, _ experts: Span<Int32>, at first: Int
  ) {
    let width = shape.expertsPerToken
    for place in start..<start + width where held[place] >= 0 {
      let row = layer * shape.expertCount + Int(held[place])
      let pairs = row * shape.expertCount
      for index in first..<first + width where experts[index] >= 0 {
        pairCounts[pairs + Int(experts[index])] += 1
      }
      useCounts[row] += 1
      if useCounts[row] >= UInt16(Self.useCountMax) {
        useCounts[row] /= 2
        for index in pairs..<pairs + shape.expertCount { pairCounts[index] /= 2 }
      }
    }
  }

  package func score(layer: Int, token: Int, into scores: inout [Float]) {
    for expert in scores.indices { scores[expert] = 0 }
    let slot = layer % distance
    guard layer >= distance, layer < shape.layerCount, heldSteps[slot].layer == layer - distance,
      token < heldSteps[slot].tokenCount
    else { return }
    let width = shape.expertsPerToken
    let start = (slot * shape.tokenCountMax + token) * width
    for place in start..<start + width where held[place] >= 0 {
      let row = (layer - distance) * shape.expertCount + Int(held[place])
      guard useCounts[row] > 0 else { continue }
      let scale = 1 / Float(useCounts[row])
      let pairs = row * shape.expertCount
      for expert in scores.indices { scores[expert] += scale * Float(pairCounts[pairs + expert]) }
    }
  }
}
