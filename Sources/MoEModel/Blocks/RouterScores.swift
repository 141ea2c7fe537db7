#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif
package import MoECore
import MoEKernels

/// What one token's router logits are worth, by a layer's rule. Owns no memory; writes rows of
/// scratch.
package struct RouterScores {
  let description: RouterDescription
  /// (expertCount)
  let logits: FloatView
  /// (expertCount)
  let selectionBias: FloatView?

  package init(
    _ description: RouterDescription, logits: FloatView, selectionBias: FloatView? = nil
  ) {
    precondition(logits.count == description.expertCount)
    precondition((selectionBias != nil) == description.hasSelectionBias)
    precondition(selectionBias == nil || selectionBias?.count == logits.count)
    self.description = description
    self.logits = logits
    self.selectionBias = selectionBias
  }

  /// Whether what experts are chosen by is their weight too.
  var weighsByPreference: Bool {
    description.scoring == .softmax && !description.hasSelectionBias
  }

  /// What experts are chosen by; -infinity for those that must not be.
  ///
  /// - Parameter row: (expertCount), overwritten.
  func fillPreferences(_ row: FloatView) {
    row.copy(from: logits)
    switch description.scoring {
    case .softmax: score(row)
    case .sigmoid, .sqrtSoftplus:
      // They rise with the logit, which tells more experts apart.
      if selectionBias != nil || description.groups != nil { score(row) }
    case .softmaxOfChosen, .sparseMixer: break
    }
    if let selectionBias {
      for expert in 0..<row.count { row[expert] += selectionBias[expert] }
    }
    if weighsByPreference && description.groups == nil { return }
    // The infinite is for experts that must not be chosen.
    for expert in 0..<row.count where row[expert] == -.infinity {
      row[expert] = -.greatestFiniteMagnitude
    }
    if let groups = description.groups { leaveBest(groups, row) }
  }

  /// What a gating may shift to change the choice: logits, or where these alone don't decide what
  /// experts are chosen by.
  func fillShiftable(_ row: FloatView) {
    if selectionBias != nil || description.groups != nil {
      fillPreferences(row)
    } else {
      row.copy(from: logits)
    }
  }

  /// Whether an expert with such a value to shift is not in a group that is left out.
  func canTake(_ value: Float) -> Bool { description.groups == nil || value > -.infinity }

  /// Each expert's part of all experts' scores together: softmax probabilities, or what DeepSeek-V3
  /// takes for them where scores are sigmoids (arXiv 2412.19437, equation 19).
  ///
  /// - Parameter row: (expertCount), overwritten.
  func fillShares(_ row: FloatView) {
    row.copy(from: logits)
    switch description.scoring {
    case .softmax, .softmaxOfChosen, .sparseMixer: VectorMath.softmax(row)
    case .sigmoid, .sqrtSoftplus:
      score(row)
      var sum = 0.0
      for expert in 0..<row.count { sum += Double(row[expert]) }
      for expert in 0..<row.count { row[expert] = Float(Double(row[expert]) / sum) }
    }
  }

  /// Ranks chosen experts by their logits, so that what they were chosen by decides no bit, and
  /// scores them without bias.
  ///
  /// - Parameters:
  ///   - experts: (rank), put in order.
  ///   - weights: (rank), overwritten.
  ///   - row: (expertCount), overwritten.
  func weigh(_ experts: IndexView, into weights: FloatView, scratch row: FloatView) {
    rank(experts)
    if description.scoring == .sparseMixer { return mix(experts, into: weights, scratch: row) }
    guard description.scoring == .softmax else {
      for rank in 0..<experts.count { weights[rank] = logits[Int(experts[rank])] }
      return score(weights)
    }
    row.copy(from: logits)
    score(row)
    for rank in 0..<experts.count { weights[rank] = row[Int(experts[rank])] }
  }

  /// The largest logit first, the lower expert of equals.
  private func rank(_ experts: IndexView) {
    for end in 1..<max(1, experts.count) {
      var rank = end
      while rank > 0 {
        let (left, right) = (logits[Int(experts[rank - 1])], logits[Int(experts[rank])])
        let isInOrder = !(right > left || (right == left && experts[rank] < experts[rank - 1]))
        if isInOrder { break }
        (experts[rank - 1], experts[rank]) = (experts[rank], experts[rank - 1])
        rank -= 1
      }
    }
  }

  /// A logit that is lower than the chosen one by more than this part of the larger of the two
  /// magnitudes counts no more: twice the jitter of the published models.
  private static let mixerDistance: Float = 0.02

  /// The weights of `sparseMixer`, of experts in order.
  private func mix(_ experts: IndexView, into weights: FloatView, scratch row: FloatView) {
    row.copy(from: logits)
    for rank in 0..<experts.count {
      let chosen = logits[Int(experts[rank])]
      var sum: Float = 0
      for expert in 0..<row.count {
        let other = row[expert]
        if (chosen - other) / max(abs(other), chosen) > Self.mixerDistance { continue }
        sum += exp(other - chosen)
      }
      weights[rank] = 1 / sum
      row[Int(experts[rank])] = -.infinity
    }
  }

  /// Logits into scores; softmax over those given.
  private func score(_ row: FloatView) {
    switch description.scoring {
    case .softmax, .softmaxOfChosen, .sparseMixer: VectorMath.softmax(row)
    case .sigmoid: VectorMath.sigmoid(row)
    case .sqrtSoftplus:
      for index in 0..<row.count {
        // log(1 + exp(x)) without the exponential of a large number.
        let x = row[index]
        row[index] = ((x > 0 ? x : 0) + log1p(exp(-abs(x)))).squareRoot()
      }
    }
  }

  /// Excludes the experts outside the best groups, the first of equals.
  private func leaveBest(_ groups: ExpertGroups, _ row: FloatView) {
    let size = row.count / groups.count
    var isChosen: UInt64 = 0
    // As many as `ExpertGroups.countMax`.
    var values = InlineArray<64, Float>(repeating: -.infinity)
    for group in 0..<groups.count {
      var (best, second) = (-Float.infinity, -Float.infinity)
      for expert in group * size..<(group + 1) * size {
        if row[expert] > best {
          (best, second) = (row[expert], best)
        } else if row[expert] > second {
          second = row[expert]
        }
      }
      values[group] = groups.rule == .max ? best : best + second
    }
    for _ in 0..<groups.chosenCount {
      var found: Int?
      for group in 0..<groups.count where isChosen & 1 << group == 0 {
        if let best = found, !(values[group] > values[best]) { continue }
        found = group
      }
      if let found { isChosen |= 1 << found }
    }
    for expert in 0..<row.count where isChosen & 1 << (expert / size) == 0 {
      row[expert] = -.infinity
    }
  }
}
