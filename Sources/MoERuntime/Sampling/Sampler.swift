package import MoECore

/// Draws tokens: the stages in their order, then one draw from what is left.
package struct Sampler {
  private var stages: [any SamplerStage]
  private let isGreedy: Bool
  private let step: SamplerStep
  private var candidates: Candidates

  /// Working memory per token of the vocabulary, for the memory plan.
  package static let byteCountPerCandidate = 20

  /// - Parameter breakers: Tokens past which the repetitions of `dry` do not go.
  package init(
    _ options: SamplingOptions, vocabularySize: Int, breakers: Set<Int32> = []
  ) {
    let isGreedy = options.temperature <= 0
    self.isGreedy = isGreedy
    let ordered =
      options.samplers?.compactMap { name in
        SamplerRegistry.ordered.first { $0.name == name }
      } ?? SamplerRegistry.ordered
    // Mirostat replaces what would narrow the candidates its own way; it goes by the temperature.
    let narrowing =
      options.mirostat
      ? ordered.filter { $0.name == "temperature" } + [SamplerRegistry.mirostat] : ordered
    stages = ([SamplerRegistry.bias] + narrowing)
      .filter { !isGreedy || $0.isForGreedy }.compactMap { $0.make(options) }
    step = SamplerStep(
      random: SeededGenerator(seed: options.seed ?? UInt64.random(in: .min ... .max)),
      breakers: breakers)
    candidates = Candidates(vocabularySize: vocabularySize)
  }

  /// - Parameters:
  ///   - logits: (vocabularySize)
  ///   - history: The sequence so far, prompt included.
  package mutating func sample(_ logits: FloatView, history: [Int32]) -> Int32 {
    candidates.load(logits)
    step.with(history) {
      for index in stages.indices { stages[index].apply(to: &candidates, step: step) }
    }
    if isGreedy {
      candidates.keepLargest(1)
      return candidates.tokens[0]
    }
    let drawn = candidates.draw(step.random.nextUnit())
    for index in stages.indices { stages[index].didDraw(probability: drawn.probability) }
    return drawn.token
  }
}
