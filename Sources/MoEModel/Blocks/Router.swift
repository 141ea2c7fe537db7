package import MoECore
package import MoEExperts
package import MoEKernels

/// The experts that each token of a step takes in one layer, best first, and their weights.
package struct Selection {
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
  /// Set beside an expert whose copy in fewer bits the token takes.
  private static let lowBit = StepRows.lowBit

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

  /// Of some of its tokens.
  package func rows(_ start: Int, count: Int) -> Selection {
    Selection(
      tokenCount: count, expertsPerToken: expertsPerToken,
      experts: experts.slice(start * expertStride, count: count * expertStride),
      weights: weights.slice(start * weightStride, count: count * weightStride),
      expertStride: expertStride, weightStride: weightStride)
  }

  /// How many experts a token takes.
  package func count(token: Int) -> Int {
    let first = token * expertStride
    for rank in 0..<expertsPerToken where experts[first + rank] == Self.none { return rank }
    return expertsPerToken
  }

  /// - Parameter rank: Below `count(token:)`.
  package func expert(token: Int, rank: Int) -> Int {
    Int(experts[token * expertStride + rank] & ~Self.lowBit)
  }

  /// Whether the token takes the expert's copy in fewer bits.
  package func isLow(token: Int, rank: Int) -> Bool {
    experts[token * expertStride + rank] & Self.lowBit != 0
  }

  func setLow(token: Int, rank: Int) { experts[token * expertStride + rank] |= Self.lowBit }

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

/// From router logits to a selection, as a layer's description says. Reads and writes scratch only.
package struct Router {
  let description: RouterDescription

  /// - Parameter description: A consistent one.
  package init(description: RouterDescription) {
    precondition(description.isConsistent)
    self.description = description
  }

  /// - Parameters:
  ///   - logits: (token, expertCount), kept.
  ///   - probabilities: (token, expertCount), overwritten.
  ///   - selectionBias: (expertCount), where the description has one.
  ///   - expertScales: (expertCount), where the description has them.
  package func select(
    logits: FloatRows, probabilities: FloatRows, selectionBias: FloatView? = nil,
    expertScales: FloatView? = nil, into selection: Selection
  ) {
    let count = description.expertsPerToken
    for token in 0..<logits.rowCount {
      let scores = RouterScores(
        description, logits: logits.row(token), selectionBias: selectionBias)
      let row = probabilities.row(token)
      choose(scores, scratch: row, selection, token: token)
      if !scores.weighsByPreference {
        scores.weigh(
          experts(selection, token, count), into: weights(selection, token, count), scratch: row)
      }
      finish(selection, token: token, count: count, expertScales)
    }
  }

  /// The same with a gating between logits and selection.
  ///
  /// - Returns: How many experts all tokens together take.
  package func select(
    logits: FloatRows, probabilities: FloatRows, selectionBias: FloatView? = nil,
    expertScales: FloatView? = nil, into selection: Selection, layer: Int,
    residency: any ExpertResidency, gating: inout any Gating
  ) -> Int {
    let rankCount = description.expertsPerToken
    var total = 0
    for token in 0..<logits.rowCount {
      let scores = RouterScores(
        description, logits: logits.row(token), selectionBias: selectionBias)
      let row = probabilities.row(token)
      choose(scores, scratch: row, selection, token: token)
      var choice = ExpertChoice(
        layer: layer, scores: scores, scratch: row,
        experts: experts(selection, token, rankCount),
        weights: weights(selection, token, rankCount), residency: residency)
      if !scores.weighsByPreference { choice.weighByShare() }
      // What is no number is not to be compared: such a choice stands.
      if !choice.weight(0).isNaN { gating.choose(&choice) }
      selection.end(token: token, count: choice.count)
      if !scores.weighsByPreference {
        scores.weigh(
          experts(selection, token, choice.count),
          into: weights(selection, token, choice.count), scratch: row)
      }
      finish(selection, token: token, count: choice.count, expertScales)
      for rank in 0..<choice.count where choice.isLow(rank) {
        selection.setLow(token: token, rank: rank)
      }
      total += choice.count
    }
    return total
  }

  /// The layer's own choice, best first, with what it was made by for weights.
  private func choose(
    _ scores: RouterScores, scratch row: FloatView, _ selection: Selection, token: Int
  ) {
    scores.fillPreferences(row)
    for rank in 0..<description.expertsPerToken {
      // The first of equals wins, so that ties are broken the same way everywhere.
      var best = VectorMath.argmax(row)
      var weight = row[best]
      if !(weight > -.infinity) {
        // Only NaN is left, of weights that are no numbers: the experts must differ all the same.
        best = (0..<row.count).first { row[$0].isNaN } ?? best
        weight = .nan
      }
      selection.set(best, weight: weight, token: token, rank: rank)
      row[best] = -.infinity
    }
  }

  /// From scores to weights.
  private func finish(
    _ selection: Selection, token: Int, count: Int, _ expertScales: FloatView?
  ) {
    precondition((expertScales != nil) == description.hasExpertScale)
    let weights = weights(selection, token, count)
    if description.renormalizesWeights {
      var sum: Float = 0
      for rank in 0..<count { sum += weights[rank] }
      if sum > 0 {
        let divisor = sum + description.renormalizationEpsilon
        for rank in 0..<count { weights[rank] /= divisor }
      }
    }
    if description.weightScale != 1 {
      for rank in 0..<count { weights[rank] *= description.weightScale }
    }
    if let expertScales {
      for rank in 0..<count {
        weights[rank] *= expertScales[selection.expert(token: token, rank: rank)]
      }
    }
  }

  /// (rank)
  private func experts(_ selection: Selection, _ token: Int, _ count: Int) -> IndexView {
    selection.experts.slice(token * selection.expertStride, count: count)
  }

  /// (rank)
  private func weights(_ selection: Selection, _ token: Int, _ count: Int) -> FloatView {
    selection.weights.slice(token * selection.weightStride, count: count)
  }
}
