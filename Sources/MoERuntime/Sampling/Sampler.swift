package import MoECore

/// Draws tokens: the registered stages in order, then one draw from what is left.
package struct Sampler {
  private var stages: [any SamplerStage]
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
    for index in stages.indices {
      stages[index].apply(to: &candidates, history: history)
    }
    if isGreedy {
      candidates.keepLargest(1)
      return candidates.tokens[0]
    }
    return candidates.draw(generator.nextUnit())
  }
}
