package import MoECore
package import MoEExperts
package import MoEKernels

/// The experts that each token of a step takes in one layer, best first, and their weights.
package struct Selection: Sendable {
  package let tokenCount: Int
  /// Ranks that there is room for. Without gating a token takes as many experts.
  package let expertsPerToken: Int
  /// (token, stride): expert indices, `none` behind a token's last
  let experts: IndexView
  /// (token, stride)
  let weights: FloatView
  let expertStride: Int
  let weightStride: Int

  /// In place of an expert where a token takes fewer.
  private static let none = UInt32.max

  /// - Parameters:
  ///   - experts: (token, expertStride)
  ///   - weights: (token, weightStride)
  package init(
    tokenCount: Int, expertsPerToken: Int, experts: IndexView, weights: FloatView,
    expertStride: Int, weightStride: Int
  ) {
    self.tokenCount = tokenCount
    self.expertsPerToken = expertsPerToken
    self.experts = experts
    self.weights = weights
    self.expertStride = expertStride
    self.weightStride = weightStride
  }

  /// How many experts a token takes.
  package func count(token: Int) -> Int {
    let first = token * expertStride
    for rank in 0..<expertsPerToken where experts[first + rank] == Self.none { return rank }
    return expertsPerToken
  }

  /// - Parameter rank: Below `count(token:)`.
  package func expert(token: Int, rank: Int) -> Int {
    Int(experts[token * expertStride + rank])
  }

  package func weight(token: Int, rank: Int) -> Float { weights[token * weightStride + rank] }

  func set(_ expert: Int, weight: Float, token: Int, rank: Int) {
    experts[token * expertStride + rank] = UInt32(expert)
    weights[token * weightStride + rank] = weight
  }

  /// Leaves a token its first `count` experts.
  func end(token: Int, count: Int) {
    for rank in count..<expertsPerToken {
      experts[token * expertStride + rank] = Self.none
      weights[token * weightStride + rank] = 0
    }
  }
}

/// From router logits to a selection, as the model's description says. Reads and writes scratch
/// only.
package struct Router {
  let description: RouterDescription

  package init(description: RouterDescription) { self.description = description }

  /// - Parameters:
  ///   - logits: (token, expertCount), kept.
  ///   - probabilities: (token, expertCount), overwritten.
  package func select(
    logits: FloatRows, probabilities: FloatRows, into selection: Selection
  ) {
    for token in 0..<logits.rowCount {
      choose(logits.row(token), scratch: probabilities.row(token), selection, token: token)
      renormalize(selection, token: token, count: description.expertsPerToken)
    }
  }

  /// The same with a gating between logits and selection.
  ///
  /// - Returns: How many experts all tokens together take.
  package func select(
    logits: FloatRows, probabilities: FloatRows, into selection: Selection, layer: Int,
    residency: any ExpertResidency, gating: inout any Gating
  ) -> Int {
    let rankCount = description.expertsPerToken
    var total = 0
    for token in 0..<logits.rowCount {
      let (row, scratch) = (logits.row(token), probabilities.row(token))
      choose(row, scratch: scratch, selection, token: token)
      var choice = ExpertChoice(
        layer: layer, logits: row, scratch: scratch,
        experts: selection.experts.slice(token * selection.expertStride, count: rankCount),
        weights: selection.weights.slice(token * selection.weightStride, count: rankCount),
        residency: residency)
      // What is no number is not to be compared: such a choice stands.
      if !choice.weight(0).isNaN { gating.choose(&choice) }
      selection.end(token: token, count: choice.count)
      renormalize(selection, token: token, count: choice.count)
      total += choice.count
    }
    return total
  }

  /// The model's own choice, with softmax probabilities for weights.
  private func choose(
    _ logits: FloatView, scratch row: FloatView, _ selection: Selection, token: Int
  ) {
    row.copy(from: logits)
    _ = VectorMath.softmax(row)
    for rank in 0..<description.expertsPerToken {
      // The first of equals wins, so that ties are broken the same way everywhere.
      var best = VectorMath.argmax(row)
      var weight = row[best]
      if !(weight >= 0) {
        // Only NaN is left, of weights that are no numbers: the experts must differ all the same.
        best = (0..<row.count).first { row[$0].isNaN } ?? best
        weight = .nan
      }
      selection.set(best, weight: weight, token: token, rank: rank)
      row[best] = -1
    }
  }

  private func renormalize(_ selection: Selection, token: Int, count: Int) {
    guard description.renormalizesWeights else { return }
    let first = token * selection.weightStride
    var sum: Float = 0
    for rank in 0..<count { sum += selection.weights[first + rank] }
    guard sum > 0 else { return }
    for rank in 0..<count { selection.weights[first + rank] /= sum }
  }
}
