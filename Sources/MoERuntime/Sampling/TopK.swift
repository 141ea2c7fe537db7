/// Keeps the k largest logits.
struct TopK: SamplerStage {
  let limit: Int

  static func make(_ options: SamplingOptions) -> (any SamplerStage)? {
    options.topK > 0 ? TopK(limit: options.topK) : nil
  }

  func apply(to candidates: inout Candidates, history: [Int32]) { candidates.keepLargest(limit) }
}
