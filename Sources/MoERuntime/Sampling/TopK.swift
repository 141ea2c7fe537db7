/// Keeps the k largest logits.
package struct TopK: SamplerStage {
  let limit: Int

  package static func make(_ options: SamplingOptions) -> (any SamplerStage)? {
    options.topK > 0 ? TopK(limit: options.topK) : nil
  }

  package func apply(to candidates: inout Candidates, step: SamplerStep) {
    candidates.keepLargest(limit)
  }
}
