package import MoECore

/// Draws tokens: the registered stages in order, then one draw from what is left.
package struct Sampler {
  private let stages: [any SamplerStage]
  private let isGreedy: Bool
  private var generator: SeededGenerator
  private var candidates: Candidates

  /// Working memory per token of the vocabulary, for the memory plan.
  package static let byteCountPerCandidate = 20

  package init(_ options: SamplingOptions, vocabularySize: Int) {
    isGreedy = options.temperature <= 0
    let wanted = isGreedy ? SamplerRegistry.all.prefix(1) : SamplerRegistry.all[...]
    stages = wanted.compactMap { $0.make(options) }
    generator = SeededGenerator(seed: options.seed ?? UInt64.random(in: .min ... .max))
    candidates = Candidates(vocabularySize: vocabularySize)
  }

  /// - Parameters:
  ///   - logits: (vocabularySize)
  ///   - history: The sequence so far, prompt included.
  package mutating func sample(_ logits: FloatView, history: [Int32]) -> Int32 {
    candidates.load(logits)
    for stage in stages { stage.apply(to: &candidates, history: history) }
    if isGreedy {
      candidates.keepLargest(1)
      return candidates.tokens[0]
    }
    return draw()
  }

  /// A token with probability proportional to exp(logit).
  private mutating func draw() -> Int32 {
    var largest = -Float.infinity
    for index in 0..<candidates.count { largest = max(largest, candidates.logits[index]) }
    var total = 0.0
    for index in 0..<candidates.count { total += candidates.weight(at: index, largest: largest) }
    var rest = generator.nextUnit() * total
    for index in 0..<candidates.count {
      rest -= candidates.weight(at: index, largest: largest)
      if rest < 0 { return candidates.tokens[index] }
    }
    return candidates.tokens[candidates.count - 1]
  }
}
