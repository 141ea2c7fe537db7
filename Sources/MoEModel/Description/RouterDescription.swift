/// How a layer's experts are chosen and weighed. Layers may differ in it.
package struct RouterDescription: Sendable, Hashable {
  package var expertCount: Int
  package var expertsPerToken: Int
  package var scoring: RouterScoring
  /// Whether a bias of each expert is added to its score for the choice, but not for its weight
  /// (arXiv 2408.15664).
  package var hasSelectionBias: Bool
  /// Nil where experts are chosen from all.
  package var groups: ExpertGroups?
  /// Whether the chosen experts' scores are divided by their sum and `renormalizationEpsilon`.
  package var renormalizesWeights: Bool
  package var renormalizationEpsilon: Float
  /// Factor on all weights, after that.
  package var weightScale: Float
  package var weightPlacement: WeightPlacement
  /// Whether weights are at last multiplied by a factor of each expert.
  package var hasExpertScale: Bool

  package init(
    expertCount: Int, expertsPerToken: Int, scoring: RouterScoring = .softmax,
    hasSelectionBias: Bool = false, groups: ExpertGroups? = nil, renormalizesWeights: Bool,
    renormalizationEpsilon: Float = 0, weightScale: Float = 1,
    weightPlacement: WeightPlacement = .output, hasExpertScale: Bool = false
  ) {
    self.expertCount = expertCount
    self.expertsPerToken = expertsPerToken
    self.scoring = scoring
    self.hasSelectionBias = hasSelectionBias
    self.groups = groups
    self.renormalizesWeights = renormalizesWeights
    self.renormalizationEpsilon = renormalizationEpsilon
    self.weightScale = weightScale
    self.weightPlacement = weightPlacement
    self.hasExpertScale = hasExpertScale
  }

  /// Whether a router can be made of it: a token's experts must be found in the groups it takes.
  package var isConsistent: Bool {
    guard expertsPerToken >= 1, expertsPerToken <= expertCount else { return false }
    guard let groups else { return true }
    guard groups.count >= 1, groups.count <= ExpertGroups.countMax,
      expertCount % groups.count == 0, groups.chosenCount >= 1,
      groups.chosenCount <= groups.count
    else { return false }
    let size = expertCount / groups.count
    return groups.chosenCount * size >= expertsPerToken && (size >= 2 || groups.rule == .max)
  }
}

/// How a router's logits become scores.
package enum RouterScoring: Sendable, Hashable, CaseIterable {
  /// Over all experts.
  case softmax
  /// 1 / (1 + exp(-logit)), each expert by itself.
  case sigmoid
  /// sqrt(log(1 + exp(logit))), each expert by itself.
  case sqrtSoftplus
  /// Over the experts that have the largest logits.
  case softmaxOfChosen
  /// One expert after the other, the largest logit first: the share that a softmax gives it among
  /// those of the experts left whose logits are near its own (SparseMixer, arXiv 2409.12136).
  case sparseMixer
}

/// Experts in equal groups by their numbers. A token takes the best groups, and then experts of
/// these alone.
package struct ExpertGroups: Sendable, Hashable {
  /// What makes a group good.
  package enum Rule: Sendable, Hashable, CaseIterable {
    /// Its best expert (DeepSeek-V2, arXiv 2405.04434, section 2.2.2).
    case max
    /// The sum of its best two (DeepSeek-V3, arXiv 2412.19437).
    case bestTwoSum
  }

  package static let countMax = 64

  /// At most `countMax`; divides the number of experts.
  package var count: Int
  package var chosenCount: Int
  package var rule: Rule

  package init(count: Int, chosenCount: Int, rule: Rule) {
    self.count = count
    self.chosenCount = chosenCount
    self.rule = rule
  }
}

/// What an expert's weight is a factor on.
package enum WeightPlacement: Sendable, Hashable {
  case output
  /// As Llama 4 has it.
  case input
}
