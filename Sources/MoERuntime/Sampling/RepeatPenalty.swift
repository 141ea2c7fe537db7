/// Lowers the logits of tokens among the latest ones (CTRL, arXiv 1909.05858, section 4.1).
package struct RepeatPenalty: SamplerStage {
  let penalty: Float
  let lastCount: Int

  package static func make(_ options: SamplingOptions) -> (any SamplerStage)? {
    guard options.repeatPenalty != 1, options.repeatLastCount != 0 else { return nil }
    return RepeatPenalty(penalty: options.repeatPenalty, lastCount: options.repeatLastCount)
  }

  package func apply(to candidates: inout Candidates, history: [Int32]) {
    let first = lastCount < 0 ? 0 : max(0, history.count - lastCount)
    for position in first..<history.count {
      let token = history[position]
      // Once per token, however often it appeared: at its latest place.
      if history[(position + 1)...].contains(token) { continue }
      let index = Int(token)
      guard index < candidates.count, candidates.tokens[index] == token else { continue }
      let logit = candidates.logits[index]
      candidates.setLogit(logit > 0 ? logit / penalty : logit * penalty, at: index)
    }
  }
}
