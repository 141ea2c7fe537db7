package import MoECore

/// What a stage may look at besides the candidates.
package final class SamplerStep {
  /// The sequence so far, prompt included, oldest first; from step to step it only grows, so that a
  /// stage may keep what it counted.
  package fileprivate(set) var history: [Int32] = []
  /// Tokens past which repetitions do not go.
  package let breakers: Set<Int32>
  /// Where random numbers come from.
  package var random: SeededGenerator

  package init(random: SeededGenerator, breakers: Set<Int32> = [], history: [Int32] = []) {
    self.random = random
    self.breakers = breakers
    self.history = history
  }

  /// Does something with a text as the history.
  func with<Value>(_ history: [Int32], _ body: () -> Value) -> Value {
    self.history = history
    // Else the caller's next token would copy the text.
    defer { self.history = [] }
    return body()
  }
}

/// One step of drawing a token: narrows the candidates or changes their logits.
package protocol SamplerStage: Sendable {
  mutating func apply(to candidates: inout Candidates, step: SamplerStep)

  /// A token was drawn that had this probability among the candidates that were left.
  mutating func didDraw(probability: Double)
}

extension SamplerStage {
  package mutating func didDraw(probability: Double) {}
}

/// A kind of stage and when it is wanted.
package struct SamplerEntry: Sendable {
  /// As llama.cpp names it.
  package let name: String
  package let summary: String
  /// Whether it has a say where the most probable token is taken.
  package let isForGreedy: Bool
  /// Nil where the options switch the stage off.
  package let make: @Sendable (SamplingOptions) -> (any SamplerStage)?

  package init(
    name: String, summary: String, isForGreedy: Bool = false,
    make: @escaping @Sendable (SamplingOptions) -> (any SamplerStage)?
  ) {
    self.name = name
    self.summary = summary
    self.isForGreedy = isForGreedy
    self.make = make
  }
}

package enum SamplerRegistry {
  /// Always first, since all others go by logits.
  package static let bias = SamplerEntry(
    name: "logit-bias", summary: "Adds numbers to the logits of some tokens.", isForGreedy: true,
    make: LogitBias.make)

  /// Takes the place of all that are in an order.
  package static let mirostat = SamplerEntry(
    name: "mirostat", summary: "Keeps a text's surprise about the same.", make: Mirostat.make)

  /// Those that may be put in another order, in the order in which they are applied else.
  package static let ordered: [SamplerEntry] = [
    SamplerEntry(
      name: "penalties", summary: "Makes tokens that appeared lately less probable.",
      isForGreedy: true, make: Penalties.make),
    SamplerEntry(
      name: "dry", summary: "Makes tokens that would go on with a repetition less probable.",
      isForGreedy: true, make: RepetitionPenalty.make),
    SamplerEntry(
      name: "top_n_sigma", summary: "Keeps logits that stand out from the others.",
      make: TopNSigma.make),
    SamplerEntry(name: "top_k", summary: "Keeps the k most probable tokens.", make: TopK.make),
    SamplerEntry(
      name: "typ_p", summary: "Keeps tokens about as surprising as is usual there.",
      make: Typical.make),
    SamplerEntry(
      name: "top_p", summary: "Keeps the most probable tokens up to a total probability.",
      make: TopP.make),
    SamplerEntry(
      name: "min_p", summary: "Keeps tokens not much less probable than the best.",
      make: MinP.make),
    SamplerEntry(
      name: "xtc", summary: "Drops the most probable tokens now and then.",
      make: ExcludeTopChoices.make),
    SamplerEntry(
      name: "temperature", summary: "Flattens or sharpens the distribution.",
      make: Temperature.make),
  ]

  package static let all = [bias] + ordered + [mirostat]
}
