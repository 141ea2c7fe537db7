package import MoECore

/// Which experts each token chose in each layer, as recorded from a run.
///
/// What a recorder may leave out is nil where it did.
package struct RoutingTrace: Sendable, Equatable {
  package let tokenCount: Int
  package let layerCount: Int
  package let expertsPerToken: Int
  /// (token, layer, rank), best first, each expert at most once in a selection. A token that takes
  /// fewer than there is room for, though at least one, has `noExpert` behind its last.
  package let experts: [Int32]
  /// (sequence): its first token, ascending; begins with 0. Tokens in between follow each other.
  package let sequenceStarts: [Int]
  /// The model, its number of experts, and where the trace comes from.
  package var metadata: RoutingTraceMetadata
  /// (token, layer, rank): weights of the chosen experts, exact in 16 bits; finite, at least 0.
  package var weights: [Float]?
  /// (token, layer, expert): the router's logits.
  package var logits: [Float]?
  /// (token): its number in the model's vocabulary.
  package var tokenIDs: [Int32]?
  /// (token): whether it was read with others of its text, or generated.
  package var phases: [InferencePhase]?
  /// (sequence): the domain or the name of the text.
  package var labels: [String]?
  /// (pass): its first token, ascending. A pass is what went through the model at once: a chunk of
  /// a prompt, or one generated token. Every sequence begins with one.
  package var passStarts: [Int]?

  package static let noExpert: Int32 = -1

  /// A file of more than this, packed or unpacked, is refused.
  package static let byteCountMax = 1 << 30

  /// - Parameters:
  ///   - experts: (token, layer, rank), each from 0.
  ///   - sequenceStarts: Ascending, from 0 on, each a token of the trace.
  package init(
    layerCount: Int, expertsPerToken: Int, experts: [Int32], sequenceStarts: [Int] = [0]
  ) {
    precondition(layerCount > 0 && expertsPerToken > 0)
    self.init(
      metadata: RoutingTraceMetadata(
        expertCount: Int(experts.max() ?? -1) + 1, expertsPerToken: expertsPerToken,
        layers: Array(0..<layerCount)),
      experts: experts, sequenceStarts: sequenceStarts)
  }

  /// - Parameter metadata: Its counts are those of `experts`.
  package init(metadata: RoutingTraceMetadata, experts: [Int32], sequenceStarts: [Int]) {
    let recordCount = metadata.layers.count * metadata.expertsPerToken
    precondition(recordCount > 0 && experts.count % recordCount == 0)
    precondition(sequenceStarts.first == 0)
    precondition(zip(sequenceStarts, sequenceStarts.dropFirst()).allSatisfy { $0 < $1 })
    self.metadata = metadata
    tokenCount = experts.count / recordCount
    layerCount = metadata.layers.count
    expertsPerToken = metadata.expertsPerToken
    self.experts = experts
    self.sequenceStarts = sequenceStarts
  }

  /// The experts of one token in one layer, best first.
  package func selection(token: Int, layer: Int) -> ArraySlice<Int32> {
    let first = (token * layerCount + layer) * expertsPerToken
    var end = first + expertsPerToken
    while end > first && experts[end - 1] == Self.noExpert { end -= 1 }
    return experts[first..<end]
  }

  /// Experts that a token takes in a layer, in the mean.
  package var meanExpertCount: Double {
    guard hasEmptySlots else { return Double(expertsPerToken) }
    let chosenCount = experts.count { $0 != Self.noExpert }
    return Double(chosenCount) / Double(max(1, tokenCount * layerCount))
  }

  /// Whether some token takes fewer experts than there is room for.
  package var hasEmptySlots: Bool { experts.contains(Self.noExpert) }

  /// Experts of each layer: as the trace's description says, else the largest number of one and one
  /// more.
  package var expertCount: Int { metadata.expertCount }

  /// (sequence): its tokens.
  package var sequences: [Range<Int>] { Self.ranges(sequenceStarts, end: tokenCount) }

  /// What went through the model at once; where that is not known, one range for each sequence and
  /// phase.
  package var passes: [Range<Int>] {
    if let passStarts { return Self.ranges(passStarts, end: tokenCount) }
    var starts = sequenceStarts
    if let phases {
      let changes = phases.indices.dropFirst().filter { phases[$0] != phases[$0 - 1] }
      starts = Set(starts).union(changes).sorted()
    }
    return Self.ranges(starts, end: tokenCount)
  }

  private static func ranges(_ starts: [Int], end: Int) -> [Range<Int>] {
    zip(starts, starts.dropFirst() + [end]).map { $0..<max($0, $1) }
  }

  /// Refuses a trace of another model: errors say what was wanted and what was found.
  ///
  /// - Parameter layerCount: Layers that have experts.
  package func check(
    layerCount: Int, expertCount: Int, expertsPerToken: Int, name: String
  ) throws(RoutingTraceError) {
    guard self.layerCount == layerCount else {
      throw RoutingTraceError(
        name: name,
        problem: "its layers with experts are \(self.layerCount), but the model's \(layerCount)")
    }
    guard self.expertCount <= expertCount else {
      throw RoutingTraceError(
        name: name,
        problem: "its layers have \(self.expertCount) experts, but the model's \(expertCount)")
    }
    guard self.expertsPerToken <= expertsPerToken else {
      throw RoutingTraceError(
        name: name,
        problem: "its tokens take \(self.expertsPerToken) experts, but the model's "
          + "\(expertsPerToken)")
    }
  }
}

/// Why a routing trace cannot be used: one sentence.
package struct RoutingTraceError: Error, CustomStringConvertible {
  package let name: String
  let problem: String
  /// What to do about it.
  let advice: String

  package init(
    name: String, problem: String, advice: String = "give a trace that was recorded from this model"
  ) {
    self.name = name
    self.problem = problem
    self.advice = advice
  }

  package var description: String {
    "\(name) cannot be used as a routing trace: \(problem)" + (advice.isEmpty ? "" : "; \(advice)")
  }
}
