/// One step of drawing a token: narrows the candidates or changes their logits.
package protocol SamplerStage: Sendable {
  /// - Parameter history: The sequence so far, prompt included, oldest first; from call to call it
  ///   only grows, so that a stage may keep what it counted.
  mutating func apply(to candidates: inout Candidates, history: [Int32])
}

/// A kind of stage and when it is wanted.
package struct SamplerEntry: Sendable {
  package let name: String
  package let summary: String
  /// Nil where the options switch the stage off.
  package let make: @Sendable (SamplingOptions) -> (any SamplerStage)?
}

package enum SamplerRegistry {
  /// In the order in which they are applied.
  package static let all: [SamplerEntry] = [
    SamplerEntry(
      name: "repeat-penalty", summary: "Makes tokens that appeared lately less probable.",
      make: RepeatPenalty.make),
    SamplerEntry(name: "top-k", summary: "Keeps the k most probable tokens.", make: TopK.make),
    SamplerEntry(
      name: "top-p", summary: "Keeps the most probable tokens up to a total probability.",
      make: TopP.make),
    SamplerEntry(
      name: "min-p", summary: "Keeps tokens not much less probable than the best.",
      make: MinP.make),
    SamplerEntry(
      name: "temperature", summary: "Flattens or sharpens the distribution.",
      make: Temperature.make),
  ]
}
