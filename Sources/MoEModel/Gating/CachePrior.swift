import MoECore

/// Cache-aware selection, the Cache-Prior of "Mixture of Cache-Conditional Experts" (arXiv
/// 2412.00099): experts that are in memory, and the token's best J in any case, are chosen as if
/// their logits were higher by lambda times the mean distance between the largest and the smallest
/// logit; their weights come from the logits as they are.
///
/// The mean runs over the tokens that were decoded in the sequence so far, this one included, for
/// each layer by itself. With lambda 0 the choice is the model's own, bit for bit.
package struct CachePrior: Gating {
  private let strength: Double
  private let topCount: Int
  /// (layer): sum of the distances, and of how many tokens.
  private var sums: [Double]
  private var tokenCounts: [Int]

  /// - Parameters:
  ///   - strength: lambda, at least 0.
  ///   - topCount: J, at most the experts of a token.
  package init(strength: Double, topCount: Int, layerCount: Int) {
    self.strength = strength
    self.topCount = topCount
    sums = Array(repeating: 0, count: layerCount)
    tokenCounts = Array(repeating: 0, count: layerCount)
  }

  static func parse(_ parameters: GatingParameters) throws(GatingError) -> GatingFactory {
    try parameters.check(count: 1...2, usage: "cache-prior:LAMBDA[,J]")
    let strength = try parameters.number(0, "LAMBDA", in: 0...100)
    let given = try parameters.count > 1 ? parameters.integer(1, "J", in: 0 ... .max) : nil
    return { shape throws(GatingError) in
      // The paper's own values: 1 for models with few experts per token, 2 for fine-grained ones.
      let topCount = given ?? (shape.expertsPerToken > 2 ? 2 : 1)
      guard topCount <= shape.expertsPerToken else {
        throw GatingError(
          parameters.text,
          "a token takes \(shape.expertsPerToken) experts in this model; give at most as many "
            + "for J")
      }
      return CachePrior(
        strength: strength, topCount: topCount, layerCount: shape.layerCount)
    }
  }

  package var dependsOnResidency: Bool { true }

  package mutating func beginSequence() {
    for layer in sums.indices { (sums[layer], tokenCounts[layer]) = (0, 0) }
  }

  package mutating func choose(_ choice: inout ExpertChoice) {
    let (smallest, largest) = choice.preferenceRange()
    let distance = Double(largest) - Double(smallest)
    // Of an expert that can never be chosen nothing is to be learnt.
    guard distance.isFinite else { return }
    sums[choice.layer] += distance
    tokenCounts[choice.layer] += 1
    guard strength > 0 else { return }
    let prior = Float(strength * sums[choice.layer] / Double(tokenCounts[choice.layer]))
    guard prior.isFinite else { return }
    let (plain, topCount) = (choice, topCount)
    func isPreferred(_ expert: Int) -> Bool {
      (0..<topCount).contains { plain.expert($0) == expert } || plain.isResident(expert)
    }
    // The model's own choice is then also that of the raised logits.
    if (0..<plain.count).allSatisfy({ isPreferred(plain.expert($0)) }) { return }
    choice.reselect(raisingBy: prior, where: isPreferred)
  }
}
