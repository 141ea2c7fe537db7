package import MoECore
package import MoEExperts
import MoEKernels

/// A stage between router logits and selection: changes which experts a token takes in a layer.
///
/// It sees what the model's own rule chose, and may take fewer or other experts, but at least one.
/// The weights of what remains are what the router's rule makes of them. Every kind of gating is a
/// file beside this one and a line in `GatingRegistry`; without any, nothing here runs.
package protocol Gating {
  /// Whether the choice depends on which experts are in memory. Such a gating is asked while
  /// decoding only: a chunk of a prompt reads each expert once for all tokens that take it, and
  /// what it computes must not depend on how a prompt is cut.
  var dependsOnResidency: Bool { get }

  /// A sequence begins: what was learnt from the tokens of another one is forgotten.
  mutating func beginSequence()

  /// Decides for one token in one layer. Tokens come in order; layers in order for each pass.
  mutating func choose(_ choice: inout ExpertChoice)
}

extension Gating {
  package var dependsOnResidency: Bool { false }
  package mutating func beginSequence() {}
}

/// What a gating needs to know of the model.
package struct GatingShape: Sendable, Equatable {
  package var layerCount: Int
  package var expertCount: Int
  /// Experts that a token takes in each layer as the model is.
  package var expertsPerToken: Int
  /// Whether copies of the experts in fewer bits are in memory.
  package var hasLowCopies: Bool

  package init(
    layerCount: Int, expertCount: Int, expertsPerToken: Int, hasLowCopies: Bool = false
  ) {
    self.hasLowCopies = hasLowCopies
    self.layerCount = layerCount
    self.expertCount = expertCount
    self.expertsPerToken = expertsPerToken
  }

  package init(_ description: ModelDescription, hasLowCopies: Bool = false) {
    self.init(
      layerCount: description.layerCount, expertCount: description.expertCountMax,
      expertsPerToken: description.expertsPerTokenMax, hasLowCopies: hasLowCopies)
  }
}

/// The experts of one token in one layer while they are decided on: best first, with the part that
/// each has of all experts' scores. With a softmax router that is its probability.
package struct ExpertChoice {
  package let layer: Int
  /// Of all experts, by the router's rule.
  private let scores: RouterScores
  /// How many are chosen; they have the ranks below it.
  package private(set) var count: Int
  /// (expertCount): overwritten.
  private let scratch: FloatView
  /// (rank): room for as many as the model takes.
  private let experts: IndexView
  private let weights: FloatView
  private let residency: any ExpertResidency
  /// A bit for each rank whose expert is taken in fewer bits.
  private var lowRanks: UInt64 = 0

  /// - Parameters:
  ///   - scratch: (expertCount)
  ///   - experts, weights: (expertsPerToken): the model's own choice.
  package init(
    layer: Int, scores: RouterScores, scratch: FloatView, experts: IndexView, weights: FloatView,
    residency: any ExpertResidency
  ) {
    precondition(experts.count == weights.count && scores.logits.count == scratch.count)
    self.layer = layer
    self.scores = scores
    self.scratch = scratch
    self.experts = experts
    self.weights = weights
    self.residency = residency
    count = experts.count
  }

  package func expert(_ rank: Int) -> Int {
    precondition(rank < count)
    return Int(experts[rank])
  }

  /// The expert's part of all experts' scores.
  package func weight(_ rank: Int) -> Float {
    precondition(rank < count)
    return weights[rank]
  }

  package func isResident(_ expert: Int) -> Bool {
    residency.isResident(layer: layer, expert: expert)
  }

  /// Takes the copy of an expert in fewer bits. The last that is done to a choice: ranks must stay.
  package mutating func takeLow(_ rank: Int) {
    precondition(rank < count)
    if rank < UInt64.bitWidth { lowRanks |= 1 << UInt64(rank) }
  }

  package func isLow(_ rank: Int) -> Bool {
    rank < UInt64.bitWidth && lowRanks & (1 << UInt64(rank)) != 0
  }

  /// Leaves the experts below a rank, at least the best.
  package mutating func keep(first count: Int) { self.count = min(self.count, max(1, count)) }

  /// Leaves the best expert and those others that a condition holds for. It is asked in the order
  /// of the ranks, about ranks as they were.
  package mutating func keep(where isKept: (_ rank: Int) -> Bool) {
    var kept = 0
    for rank in 0..<count where isKept(rank) || rank == 0 {
      experts[kept] = experts[rank]
      weights[kept] = weights[rank]
      kept += 1
    }
    count = kept
  }

  /// The smallest and the largest of what all experts are chosen by: logits, or scores where the
  /// router adds a bias to them or takes them from groups.
  package func preferenceRange() -> (smallest: Float, largest: Float) {
    scores.fillShiftable(scratch)
    var (smallest, largest) = (Float.infinity, -Float.infinity)
    for expert in 0..<scratch.count where scores.canTake(scratch[expert]) {
      smallest = min(smallest, scratch[expert])
      largest = max(largest, scratch[expert])
    }
    return (smallest, largest)
  }

  /// Chooses anew from all experts, as many as are chosen, as if those preferred were better by a
  /// finite amount; the first of equals. Weights stay the router's, and decide the ranks.
  ///
  /// - Parameter isPreferred: A copy made before still tells the choice as it was.
  package mutating func reselect(
    raisingBy amount: Float, where isPreferred: (_ expert: Int) -> Bool
  ) {
    scores.fillShiftable(scratch)
    for expert in 0..<scratch.count where isPreferred(expert) { scratch[expert] += amount }
    for rank in 0..<count {
      let best = VectorMath.argmax(scratch)
      experts[rank] = UInt32(best)
      scratch[best] = -.infinity
    }
    weighByShare()
  }

  /// Weighs the chosen experts by their parts of all scores, and ranks them by these.
  mutating func weighByShare() {
    scores.fillShares(scratch)
    for rank in 0..<count { weights[rank] = scratch[Int(experts[rank])] }
    sort()
  }

  /// Takes one expert of each of `groupCount` equal groups, the best, weighed by the softmax over
  /// its group alone.
  package mutating func chooseOfGroups(_ groupCount: Int) {
    precondition(groupCount <= experts.count && scratch.count % groupCount == 0)
    let size = scratch.count / groupCount
    scratch.copy(from: scores.logits)
    for group in 0..<groupCount {
      let row = scratch.slice(group * size, count: size)
      VectorMath.softmax(row)
      let best = VectorMath.argmax(row)
      experts[group] = UInt32(group * size + best)
      weights[group] = row[best]
    }
    count = groupCount
    sort()
  }

  /// The largest weight first, the lower expert of equals.
  private func sort() {
    for end in 1..<max(1, count) {
      var rank = end
      while rank > 0,
        weights[rank] > weights[rank - 1]
          || (weights[rank] == weights[rank - 1] && experts[rank] < experts[rank - 1])
      {
        (weights[rank], weights[rank - 1]) = (weights[rank - 1], weights[rank])
        (experts[rank], experts[rank - 1]) = (experts[rank - 1], experts[rank])
        rank -= 1
      }
    }
  }
}
